// A test registers itself; a failed check throws. Tests' names are sentences that are true when they pass.
#pragma once

#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

// Everything is tested, whatever time it takes.
inline bool is_soak()
{
    const char* soak = std::getenv("DATAFLOW_SOAK");
    return soak != nullptr && std::string(soak) == "1";
}

struct Test
{
    const char* name;
    const char* file;
    void (*run)();
};

std::vector<Test>& tests();

struct Registration
{
    Registration(const char* name, const char* file, void (*run)()) { tests().push_back({name, file, run}); }
};

#define TEST(name)                                                      \
    static void name();                                                 \
    static const Registration name##_registered(#name, __FILE__, name); \
    static void name()

// The folder of the test kernels.
std::string kernel_file(const std::string& name);

inline void check(bool holds, const std::string& what)
{
    if (!holds)
    {
        throw std::runtime_error(what);
    }
}

// The text of what an action throws must hold all of `parts`.
void check_fails(const std::function<void()>& action, std::initializer_list<const char*> parts);
