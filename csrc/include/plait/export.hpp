// plait/export.hpp: marks the symbols that libplait.so offers; everything else is hidden.
#pragma once

#if defined(__GNUC__)
#define PLAIT_API __attribute__((visibility("default")))
#else
#define PLAIT_API
#endif
