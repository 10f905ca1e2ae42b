"""Tests of the fused operators: one suite over every operator and every implementation."""
