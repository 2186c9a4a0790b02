/* Ranges and names for NVIDIA's profilers, without NVIDIA's headers.
 *
 * A profiler names a library in NVTX_INJECTION64_PATH. Whoever wants to be profiled loads it and calls its InitializeInjectionNvtx2 with a
 * function that gives out tables; the profiler writes the addresses of the functions that it offers into the slots of these tables. What it
 * leaves empty is not called. Without that variable nothing is loaded and every function here returns at once.
 * The numbers are those of NVTX 3 (nvToolsExt.h, nvtxDetail/nvtxTypes.h). */

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { VERSION = 3, TABLE_CALLBACKS = 1, TABLE_VERSION = 3, MESSAGE_ASCII = 1, MESSAGE_REGISTERED = 3 };
enum { MODULE_CORE = 1, MODULE_CUDA = 2, MODULE_CORE2 = 5, MODULES = 7, MOST_FUNCTIONS = 16 };
enum { CORE_NAME_THREAD = 14, CUDA_NAME_STREAM = 5, CORE2_PUSH = 4, CORE2_POP = 5, CORE2_REGISTER = 10, CORE2_CREATE = 12 };

typedef void (*function)(void);

/* Functions of each module, with the unused number 0. */
static const unsigned sizes[MODULES] = {0, 16, 9, 15, 7, 16, 7};
static function slots[MODULES][MOST_FUNCTIONS];
static function* tables[MODULES][MOST_FUNCTIONS + 1];

/* nvtxEventAttributes_t. */
struct event {
    uint16_t version, size;
    uint32_t category;
    int32_t color_type;
    uint32_t color;
    int32_t payload_type, reserved;
    uint64_t payload;
    int32_t message_type;
    const void* message;
};
_Static_assert(sizeof(struct event) == 48 && offsetof(struct event, message) == 40, "the profiler reads 48 bytes");

static int module_table(int module, function*** table, unsigned* size)
{
    if (module <= 0 || module >= MODULES) {
        return 0;
    }

    if (size) {
        *size = sizes[module];
    }

    if (table) {
        *table = tables[module];
    }

    return 1;
}

static void set_tool_version(uint32_t version) { (void)version; }

static const struct { size_t size; int (*table)(int, function***, unsigned*); } callbacks = {sizeof callbacks, module_table};
static const struct
{
    size_t size;
    uint32_t version, reserved;
    void (*set)(uint32_t);
} versions = {sizeof versions, VERSION, 0, set_tool_version};

static const void* export_table(uint32_t id)
{
    return id == TABLE_CALLBACKS ? (const void*)&callbacks : id == TABLE_VERSION ? (const void*)&versions : NULL;
}

static int attached;

static void attach(void)
{
    for (int m = 1; m < MODULES; m++) {
        for (unsigned f = 1; f < sizes[m]; f++) {
            tables[m][f] = &slots[m][f];
        }
    }

    const char* path = getenv("NVTX_INJECTION64_PATH");
    void* tool = path ? dlopen(path, RTLD_LAZY) : NULL;
    int (*start)(const void* (*)(uint32_t)) = NULL;
    if (tool) {
        *(void**)&start = dlsym(tool, "InitializeInjectionNvtx2");
    }

    /* Ranges in domains are all that is used: a tool without them is none. */
    attached = start && start(export_table) && slots[MODULE_CORE2][CORE2_PUSH] && slots[MODULE_CORE2][CORE2_POP];
    if (tool && !attached) {
        dlclose(tool);
    }
}

/* Looks for a profiler, once; 1 where one listens. */
EXPORT int dataflowNvtxStart(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, attach);
    return attached;
}

/* A group of ranges that nest apart from those of other groups; NULL is the unnamed one. */
EXPORT void* dataflowNvtxDomain(const char* name)
{
    void* (*create)(const char*) = (void* (*)(const char*))slots[MODULE_CORE2][CORE2_CREATE];
    return attached && create ? create(name) : NULL;
}

/* A text that ranges will bear again and again; NULL where the profiler keeps none. */
EXPORT void* dataflowNvtxText(void* domain, const char* text)
{
    void* (*keep)(void*, const char*) = (void* (*)(void*, const char*))slots[MODULE_CORE2][CORE2_REGISTER];
    return attached && keep ? keep(domain, text) : NULL;
}

/* Opens a range within those that the thread has open: under a kept text, or under a text where that is NULL. */
EXPORT void dataflowNvtxPush(void* domain, void* kept, const char* text)
{
    if (attached) {
        struct event range = {VERSION, sizeof range, 0, 0, 0, 0, 0, 0, kept ? MESSAGE_REGISTERED : MESSAGE_ASCII, kept ? kept : text};
        ((int (*)(void*, const struct event*))slots[MODULE_CORE2][CORE2_PUSH])(domain, &range);
    }
}

/* Closes the thread's innermost range. */
EXPORT void dataflowNvtxPop(void* domain)
{
    if (attached) {
        ((int (*)(void*))slots[MODULE_CORE2][CORE2_POP])(domain);
    }
}

/* Names the calling thread. */
EXPORT void dataflowNvtxNameThread(const char* name)
{
    void (*call)(uint32_t, const char*) = (void (*)(uint32_t, const char*))slots[MODULE_CORE][CORE_NAME_THREAD];
    if (attached && call) {
        call((uint32_t)syscall(SYS_gettid), name);
    }
}

/* Names a stream of the driver. */
EXPORT void dataflowNvtxNameStream(void* stream, const char* name)
{
    void (*call)(void*, const char*) = (void (*)(void*, const char*))slots[MODULE_CUDA][CUDA_NAME_STREAM];
    if (attached && call) {
        call(stream, name);
    }
}
