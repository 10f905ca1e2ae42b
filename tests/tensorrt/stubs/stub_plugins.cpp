// stub_plugins.cpp: what the backend asks of the library of plugins, without any plugin.
extern "C" const char* plait_plugins_abi() { return "stub-1"; }
