// Runs all tests, or those whose name holds the first argument or that are in the file it names, and prints the summary that tests/run.sh reads. --list
// prints the files' names instead, each once.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <set>

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

static std::string file_of(const Test& test)
{
    const std::string path = test.file;
    return path.substr(path.rfind('/') + 1);
}

static int list()
{
    std::set<std::string> files;
    for (const Test& test : tests())
    {
        files.insert(file_of(test));
    }

    for (const std::string& file : files)
    {
        std::printf("%s\n", file.c_str());
    }

    return 0;
}

// A whole file name is taken as it is: attention_tests.cpp is not flash_attention_tests.cpp.
static bool wanted(const Test& test, const std::string& part)
{
    return std::strstr(test.name, part.c_str()) != nullptr || file_of(test) == part;
}

int main(int count, char** arguments)
{
    if (count > 1 && std::string(arguments[1]) == "--list")
    {
        return list();
    }

    const std::string program = arguments[0];
    s_folder = program.substr(0, program.rfind('/') + 1);
    int failed = 0;
    int total = 0;
    for (const Test& test : tests())
    {
        if (count > 1 && !wanted(test, arguments[1]))
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
