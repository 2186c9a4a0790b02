using System.Diagnostics;

namespace Dataflow.Cli;

/// <summary>
/// A process that this program starts of itself ends with it, however that ends. Its standard input is a pipe that the parent holds open
/// and never writes to: the system closes it with the parent, a killed one too. Others that start this program may close its standard input
/// at once, so a variable says that it is such a pipe.
/// </summary>
internal static class ParentWatch
{
    private const string Variable = "DATAFLOW_ENDS_WITH_STDIN";

    /// <summary>
    /// Lets a process end with this one. Until it has ended, its <see cref="Process"/> must stay and its standard input open.
    /// </summary>
    public static void Ask(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.Environment[Variable] = "1";
    }

    /// <summary>Watches from now on, if whoever started this process asked for it.</summary>
    public static void Begin()
    {
        if (Environment.GetEnvironmentVariable(Variable) != "1")
        {
            return;
        }

        Environment.SetEnvironmentVariable(Variable, null);
        var watch = new Thread(() =>
        {
            try
            {
                using var input = Console.OpenStandardInput();
                while (input.ReadByte() >= 0)
                {
                }
            }
            catch (IOException)
            {
                // A pipe that cannot be read has nobody at its other end.
            }

            // Not an exit: that would wait for what a step or a driver is doing.
            Process.GetCurrentProcess().Kill();
        });
        watch.IsBackground = true;
        watch.Start();
    }
}
