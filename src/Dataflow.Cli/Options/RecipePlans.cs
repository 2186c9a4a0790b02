using System.CommandLine;

namespace Dataflow.Cli;

/// <summary>What recipes take on the machines that they name: planned as `dataflow plan` plans a run file.</summary>
internal static class RecipePlans
{
    /// <summary>The machines with their figures.</summary>
    /// <exception cref="InfeasibleException">It does not fit one of them.</exception>
    public static IReadOnlyList<RecipeMachine> Of(TrainingRecipe recipe) =>
        [.. recipe.Machines.Select(m => m with { Figures = Of(recipe, m) })];

    private static RecipeFigures Of(TrainingRecipe recipe, RecipeMachine machine)
    {
        var (command, flags) = (new Command("plan"), new RequestFlags());
        flags.AddTo(command);
        string[] model = recipe.Planned is { } planned ? ["--model", planned] : [];
        var parsed = command.Parse([
            recipe.File.Path, .. model, "--hardware", machine.Hardware, "--device-memory", machine.Device, "--host-memory", machine.Host,
            "--device", "cpu", "--no-cache",
        ]);
        var (question, _) = flags.Bind(flags.Complete(parsed));
        return RecipeFigures.Of(Plans.Require(Plans.Make(question)), question.Settings.Hardware!, recipe.Tokens);
    }
}
