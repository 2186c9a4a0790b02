using System.CommandLine;

namespace Dataflow.Cli;

/// <summary>The command line `dataflow`: its verbs and their examples.</summary>
internal static class DataflowCommand
{
    /// <summary>Parses and runs.</summary>
    /// <param name="args">As the shell gave them.</param>
    /// <returns>The exit code (<see cref="ExitCode"/>).</returns>
    public static int Run(string[] args)
    {
        (Command Verb, string[] Examples)[] verbs =
        [
            (PlanVerb.Command(), PlanVerb.Examples),
            (FetchVerb.Command(), FetchVerb.Examples),
            (DataVerb.Command(), DataVerb.Examples),
            (TokenizerVerb.Command(), TokenizerVerb.Examples),
            (TrainVerb.Command(), TrainVerb.Examples),
            (RecipeVerb.Command(), RecipeVerb.Examples),
            (RunsVerb.Command(), RunsVerb.Examples),
            (DiffVerb.Command(), DiffVerb.Examples),
            (ScheduleVerb.Command(), ScheduleVerb.Examples),
            (EvalVerb.Command(), EvalVerb.Examples),
            (GenerateVerb.Command(), GenerateVerb.Examples),
            (ChatVerb.Command(), ChatVerb.Examples),
            (ImportVerb.Command(), ImportVerb.Examples),
            (ExportVerb.Command(), ExportVerb.Examples),
            (SimulateVerb.Command(), SimulateVerb.Examples),
            (ShowVerb.Command(), ShowVerb.Examples),
            (VerifyVerb.Command(), VerifyVerb.Examples),
            (FitVerb.Command(), FitVerb.Examples),
            (SweepVerb.Command(), SweepVerb.Examples),
            (MapVerb.Command(), MapVerb.Examples),
            (AtlasVerb.Command(), AtlasVerb.Examples),
            (ReportVerb.Command(), ReportVerb.Examples),
            (FrontierVerb.Command(), FrontierVerb.Examples),
            (GradientsVerb.Command(), GradientsVerb.Examples),
            (CalibrateVerb.Command(), CalibrateVerb.Examples),
            (TuneVerb.Command(), TuneVerb.Examples),
            (KernelsVerb.Command(), KernelsVerb.Examples),
            (DoctorVerb.Command(), DoctorVerb.Examples),
            (HelpVerb.Command(), []),
        ];
        var root = new RootCommand(
            "Trains transformers that do not fit a GPU's memory, within two budgets: device memory and host memory."
        );
        foreach (var (verb, _) in verbs)
        {
            root.Add(verb);
        }

        var examples = verbs.ToDictionary(v => v.Verb, v => v.Examples);
        foreach (var (verb, own) in DataVerb.Verbs(root).Concat(RecipeVerb.Verbs(root)))
        {
            examples[verb] = own;
        }

        examples[root] = [TrainVerb.Examples[0], PlanVerb.Examples[0], SimulateVerb.Examples[1]];
        return new Invocation("dataflow", root, examples).Run(args);
    }
}
