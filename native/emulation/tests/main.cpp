// Runs all tests, or those whose name holds the first argument or that are in the file it names, and prints the summary that tests/run.sh
// reads. --list prints the files' names instead, each once. A test that has run for DATAFLOW_HANG_SECONDS is said, as often as it takes
// that long: tests/watch.sh reads it.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <unistd.h>

#include "test.h"

static std::string s_folder;
static unsigned s_patience; // seconds; 0: for ever
static char s_running[512];

// In a signal's handler: nothing but what may be called there.
static void say_what_runs(int)
{
    if (write(STDOUT_FILENO, s_running, std::strlen(s_running)) > 0)
    {
        alarm(s_patience);
    }
}

static void begin(const char* name)
{
    std::snprintf(s_running, sizeof s_running, "[Long Running Test] '%s'\n", name);
    alarm(s_patience);
}

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
    const char* patience = std::getenv("DATAFLOW_HANG_SECONDS");
    s_patience = patience == nullptr ? 0 : static_cast<unsigned>(std::atoi(patience));
    struct sigaction said = {};
    said.sa_handler = say_what_runs;
    said.sa_flags = SA_RESTART; // no call of a test is cut short by it
    sigaction(SIGALRM, &said, nullptr);
    int failed = 0;
    int total = 0;
    for (const Test& test : tests())
    {
        if (count > 1 && !wanted(test, arguments[1]))
        {
            continue;
        }

        total++;
        begin(test.name);
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
