using System.CommandLine;
using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Cli;

/// <summary>The options that every plan has: number format, step size, and what is fixed of the geometry.</summary>
internal sealed class GeometryOptions
{
    private const int Most = GeometryLimits.Count;

    /// <summary>The most tokens of a step.</summary>
    public const int LargestStep = GeometryLimits.StepTokens;

    private readonly Option<Recipe?> recipe = Values.Option("--dtype", "fp32|bf16|bf16-sr|bf16-master", "how parameters, gradients, moments and activations are stored: bf16-sr rounds updates stochastically, bf16-master keeps fp32 weights and moments [default: bf16 on a GPU, fp32 on a CPU]", Values.RecipeNamed);
    private readonly Option<long?> globalBatch = Values.Option<long?>("--global-batch", "TOKENS", "tokens of a step, a multiple of seqlen [default: 8192, or what hides the update on --hardware, or all of shorter data]", t => Values.Whole(t, 1, LargestStep));
    private readonly Option<int?> chunk = Values.Option("--chunk", "TOKENS", "tokens processed together", Values.OptionalCount(1, Most));
    private readonly Option<int?> chunksPerRound = Values.Option("--chunks-per-round", "N", "chunks that pass a layer before any passes the next", Values.OptionalCount(1, Most));
    private readonly Option<int?> rounds = Values.Option("--rounds", "N", "rounds of a step", Values.OptionalCount(1, Most));
    private readonly Option<int?> vocabularyBlocks = Values.Option("--vocabulary-blocks", "N", "blocks of rows in which embedding and head are computed and travel", Values.OptionalCount(1, Most));
    private readonly Option<string?> hardware = Values.Option<string?>("--hardware", "NAME", "plan for that machine: a name in profiling/hardware or a profile's file [default: the machine's own]", Values.FilePath);
    private readonly Option<TensorSet?> saveSet = Values.Option<TensorSet?>("--save-set", "SET", $"what travelling activations keep: {SaveSets.Choices}", t => SaveSets.Parse(t));

    /// <summary>Adds them to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="withBatch">False where the data says how many rows a step has.</param>
    public void AddTo(Command command, bool withBatch = true)
    {
        command.Options.Add(recipe);
        if (withBatch)
        {
            command.Options.Add(globalBatch);
        }

        command.Options.Add(chunk);
        command.Options.Add(chunksPerRound);
        command.Options.Add(rounds);
        command.Options.Add(vocabularyBlocks);
        command.Options.Add(saveSet);
        command.Options.Add(hardware);
    }

    /// <summary>What was given.</summary>
    public PlanSettings Bind(ParseResult parsed, string model, int seqlen, Bytes? device, Bytes? host) => new(
        model, seqlen, device, host, parsed.GetValue(recipe),
        parsed.CommandResult.Command.Options.Contains(globalBatch) ? parsed.GetValue(globalBatch) : null,
        new GeometryPins(parsed.GetValue(chunk), parsed.GetValue(chunksPerRound), parsed.GetValue(rounds), parsed.GetValue(vocabularyBlocks)),
        parsed.GetValue(saveSet), parsed.GetValue(hardware) is { } name ? HardwareFiles.Load(name) : null);
}
