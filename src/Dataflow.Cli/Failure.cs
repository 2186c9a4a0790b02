using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>How a command failed.</summary>
/// <param name="Kind">In a word, for machines: refused, infeasible, diverged, output, memory, fault (of the program) or failed.</param>
/// <param name="Code">The exit status.</param>
/// <param name="Sentences">For people; one, or one for each of several things that failed.</param>
internal sealed record Failure(string Kind, ExitCode Code, IReadOnlyList<string> Sentences)
{
    /// <summary>What an exception that ended a command comes to.</summary>
    public static Failure Of(Exception e) =>
        e switch
        {
            MachineException machine => One("failed", ExitCode.Failed, machine.Message),
            UserErrorException user => One("refused", ExitCode.BadUsage, user.Message),
            InfeasibleException infeasible => One("infeasible", ExitCode.Infeasible, infeasible.Message),
            DivergedException diverged => One("diverged", ExitCode.Failed, diverged.Message),
            OutputException output => One("output", ExitCode.Failed, output.Message),
            OutOfMemoryException => new Failure("memory", ExitCode.Failed, Failures.Sentences(e)),
            _ when Failures.IsForeseen(e) => new Failure("failed", ExitCode.Failed, Failures.Sentences(e)),
            _ => One(
                "fault",
                ExitCode.Failed,
                $"{Failures.Sentences(e)[0]}; this is a fault of the program ({Invocation.TraceVariable}=1 shows where)"
            ),
        };

    private static Failure One(string kind, ExitCode code, string sentence) => new(kind, code, [sentence]);
}
