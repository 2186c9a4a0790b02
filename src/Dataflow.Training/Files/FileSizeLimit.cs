using System.Runtime.InteropServices;

namespace Dataflow.Training;

/// <summary>
/// Lets a write beyond the process's file-size limit (ulimit -f) fail like one on a full disk. By default the system ends the process
/// with a signal instead, which would leave a temporary file and no message.
/// </summary>
internal static class FileSizeLimit
{
    // SIGXFSZ has this number on Linux and macOS; .NET has no name for it.
    private const PosixSignal ExceededSignal = (PosixSignal)25;

    // Kept for as long as the process lives: a registration ends when it is collected.
    private static readonly Lazy<PosixSignalRegistration> Registration =
        new(() => PosixSignalRegistration.Create(ExceededSignal, context => context.Cancel = true));

    /// <summary>From now on, exceeding the limit is an error of the write.</summary>
    public static void MakeItAnError()
    {
        if (!OperatingSystem.IsWindows())
        {
            _ = Registration.Value;
        }
    }
}
