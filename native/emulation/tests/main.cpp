// Runs all tests, or those whose name holds the first argument, and prints the summary that tests/run.sh reads.
#include <chrono>
#include <cstdio>
#include <cstring>

#include "test.h"

static std::string s_folder;

std::vector<Test>& tests()
{
    static std::vector<Test> all;
    return all;
}

std::string kernel_file(const std::string& name) { return s_folder + name + ".so"; }

void check_fails(const std::function<void()>& action, std::initializer_list<const char*> parts)
{
    std::string message;
    try
    {
        action();
    }
    catch (const std::exception& error)
    {
        message = error.what();
    }

    check(!message.empty(), "nothing was found");
    for (const char* part : parts)
    {
        check(message.find(part) != std::string::npos, std::string("'") + part + "' is not in: " + message);
    }
}

int main(int count, char** arguments)
{
    const std::string program = arguments[0];
    s_folder = program.substr(0, program.rfind('/') + 1);
    int failed = 0;
    int total = 0;
    for (const Test& test : tests())
    {
        if (count > 1 && std::strstr(test.name, arguments[1]) == nullptr)
        {
            continue;
        }

        total++;
        try
        {
            test.run();
        }
        catch (const std::exception& error)
        {
            failed++;
            std::printf("%s failed: %s\n", test.name, error.what());
        }
    }

    std::printf("=== TEST EXECUTION SUMMARY ===\n   emulation  Total: %d, Errors: 0, Failed: %d, Skipped: 0, Not Run: 0\n", total, failed);
    return failed == 0 ? 0 : 1;
}
