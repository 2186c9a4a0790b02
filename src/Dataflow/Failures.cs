using Dataflow.Model;

namespace Dataflow;

/// <summary>What failed, for people.</summary>
public static class Failures
{
    /// <summary>A sentence; or one for each of several things that failed.</summary>
    public static IReadOnlyList<string> Sentences(Exception e) => e switch
    {
        RunFailedException run => run.Failures,
        EntryPointNotFoundException old =>
        [
            $"a library of NVIDIA's is too old ({old.Message.TrimEnd('.')}): install driver 525 and CUDA 12, or newer ones",
        ],
        OutOfMemoryException => ["this machine ran out of memory; ask for smaller budgets"],
        _ => [IsForeseen(e) ? e.Message : $"{e.GetType().Name}: {e.Message}"],
    };

    /// <summary>Whether its message is for people; what else is thrown is a fault of the program.</summary>
    public static bool IsForeseen(Exception e) => e is UserErrorException or InfeasibleException or FailedException or RunFailedException
        or Training.DivergedException or EntryPointNotFoundException or OutOfMemoryException;
}
