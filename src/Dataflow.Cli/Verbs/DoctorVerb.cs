using System.CommandLine;

namespace Dataflow.Cli;

/// <summary>dataflow doctor: what this machine has and lacks for training.</summary>
internal static class DoctorVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples = ["dataflow doctor", "dataflow doctor --json"];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command("doctor", "Says what this machine has and lacks, and what to do about it: one line each.");
        var json = Declare.Flag("--json", "print one JSON object");
        command.Options.Add(json);
        command.SetAction(parsed => Run(parsed.GetValue(json), Console.Out));
        return command;
    }

    /// <summary>Looks at the machine and reports; what is missing is no failure.</summary>
    public static int Run(bool json, TextWriter output)
    {
        var checks = Waiting.For("looking at this machine", () => Diagnosis.Of(MachineSurvey.Take()));
        if (json)
        {
            output.WriteLine(DoctorReport.Json(checks));
        }
        else
        {
            DoctorReport.Write(output, checks);
        }

        return (int)ExitCode.Ok;
    }
}
