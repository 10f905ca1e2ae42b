"""What runs on 64-bit Arm under emulation, beside the C++ tests; scripts/test arm drives it."""
