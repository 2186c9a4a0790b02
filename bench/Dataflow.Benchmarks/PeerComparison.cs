using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Peers;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;
using TorchSharp;

namespace Dataflow.Benchmarks;

/// <summary>Steps of the same training by us and by TorchSharp on this CPU, in turns, from the same weights on the same tokens.</summary>
internal static class PeerComparison
{
    private const int Seqlen = PeerCase.Seqlen;
    private const double SamePercent = 1;
    private const int FewTurns = 5;

    /// <summary>The table, by the clock on the wall on all cores.</summary>
    public static Result OnAllCores() => Measure(Environment.ProcessorCount, int.MaxValue);

    /// <summary>
    /// The table, by the processor's time on one thread: on a machine that others use, waiting for a processor does not count.
    /// </summary>
    public static Result OnOneThread() => Measure(1, FewTurns);

    private static Result Measure(int threads, int mostTurns)
    {
        TorchLibrary.Load(threads);
        var rows = new List<(string[], JsonObject)>();
        foreach (var peer in PeerCase.All())
        {
            PeerCase limited = peer with { Turns = Math.Min(peer.Turns, mostTurns) };
            rows.Add(Compare(limited, Recipe.Fp32, torch.ScalarType.Float32, threads));
            rows.Add(Compare(limited, Recipe.Bf16, torch.ScalarType.BFloat16, threads));
        }

        bool one = threads == 1;
        string on = one ? "each on one thread, timed by what the process took of its processors" : "each on all cores";
        string caution = one
            ? "Tokens a second of processor time."
            : "On a busy machine its threads wait longer for each other than ours do, the more the shorter its operations are: the "
                + "ratio is then too high.";
        return new Result(
            $"Training on this CPU beside TorchSharp{(one ? ", on one thread" : "")}",
            $"Rows of {Seqlen} tokens, a step of ours and a step of TorchSharp's in turns, {on}, after one step of each that "
                + $"does not count; both start from the same weights and tokens, and their first losses are within {SamePercent}% of each "
                + "other. Ours: memory for all to stay; recipes fp32 and bf16. "
                + $"TorchSharp {typeof(torch).Assembly.GetName().Version?.ToString(3)} runs the model of bench/peers eagerly, with all "
                + "state in the type named, scaled_dot_product_attention and its own AdamW. Tokens a second: of all turns together. "
                + "Ratio: ours over TorchSharp's; beside it the least and the most of one turn. " + caution,
            ["model", "parameters", "type", "tokens a step", "turns", "ours, tok/s", "TorchSharp, tok/s", "ratio", "of a turn"],
            rows
        );
    }

    private static (string[] Cells, JsonObject Fields) Compare(
        PeerCase peerCase, Recipe recipe, torch.ScalarType type, int threads)
    {
        var (model, stepRows, turns) = peerCase;
        var plan = peerCase.Plan(recipe);
        var weights = WeightInitialiser.Weights(model, 1);
        var tokens = new RandomTokens(stepRows, Seqlen, model.VocabSize);
        int[] numbers = [.. Enumerable.Range(0, stepRows)];
        using var device = new DeviceOptions(DeviceKind.Cpu, threads, null).Create(plan);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(weights);
        using var peer = new TorchTrainer(ShapeOf(model), Tensors(weights), type, Optimizer.AdamW.Defaults.LearningRate);
        using var scope = torch.NewDisposeScope();
        var batch = TorchBatch.Of([.. numbers.Select(row => Row(tokens, row))]);

        double loss = trainer.Step(tokens, numbers, Optimizer.AdamW.Defaults).Loss, peerLoss = peer.Step(batch);
        if (!(Math.Abs(loss - peerLoss) <= SamePercent / 100 * peerLoss))
        {
            throw new InvalidOperationException($"{model.Name} in {recipe.Name}: our loss is {loss}, TorchSharp's {peerLoss}");
        }

        double[] ours = new double[turns], theirs = new double[turns];
        for (int turn = 0; turn < turns; turn++)
        {
            ours[turn] = Seconds(() => trainer.Step(tokens, numbers, Optimizer.AdamW.Defaults), threads);
            theirs[turn] = Seconds(() => peer.Step(batch), threads);
            Console.Error.WriteLine($"{model.Name} {recipe.Name}: turn {turn + 1} of {turns}, {ours[turn]:f3} s and {theirs[turn]:f3} s");
        }

        return Row(model, recipe, stepRows * Seqlen, ours, theirs);
    }

    private static (string[] Cells, JsonObject Fields) Row(ModelConfig model, Recipe recipe, int tokens, double[] ours, double[] theirs)
    {
        double[] ratios = [.. theirs.Zip(ours, (their, our) => their / our).Order()];
        double speed = tokens * ours.Length / ours.Sum(), peerSpeed = tokens * theirs.Length / theirs.Sum();
        string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
        return (
            [
                model.Name,
                $"{model.ParameterCount:N0}",
                recipe.Name,
                $"{tokens}",
                $"{ours.Length}",
                Text(speed, "N0"),
                Text(peerSpeed, "N0"),
                Text(speed / peerSpeed, "0.00"),
                $"{Text(ratios[0], "0.00")} to {Text(ratios[^1], "0.00")}",
            ],
            new JsonObject
            {
                ["model"] = model.Name,
                ["parameters"] = model.ParameterCount,
                ["recipe"] = recipe.Name,
                ["tokens_per_step"] = tokens,
                ["tok_per_sec"] = Math.Round(speed, 1),
                ["torchsharp_tok_per_sec"] = Math.Round(peerSpeed, 1),
                ["ratio"] = Math.Round(speed / peerSpeed, 3),
                ["seconds"] = new JsonArray([.. ours.Select(s => JsonValue.Create(Math.Round(s, 4)))]),
                ["torchsharp_seconds"] = new JsonArray([.. theirs.Select(s => JsonValue.Create(Math.Round(s, 4)))]),
            }
        );
    }

    private static double Seconds(Action step, int threads)
    {
        if (threads == 1)
        {
            return ThreadClock.OfProcess(step) / 1e9;
        }

        var clock = Stopwatch.StartNew();
        step();
        return clock.Elapsed.TotalSeconds;
    }

    private static TorchShape ShapeOf(ModelConfig model) =>
        new(model.VocabSize, model.LayerCount, model.HeadCount, model.KvHeadCount, model.HeadDim, model.RopeTheta, model.RmsNormEps)
        {
            Tied = model.TiedEmbedding,
            QkNorm = model.QkNorm,
        };

    private static PackedRow Row(RandomTokens tokens, int row)
    {
        int[] ids = new int[Seqlen + 1];
        tokens.Read(row, ids);
        return new PackedRow(ids, Seqlen, null);
    }

    private static IEnumerable<(string Name, float[] Values, long[] Shape)> Tensors(IWeightSource weights) =>
        WeightNames.Enumerate(weights.Model).Select(b =>
        {
            float[] values = new float[b.ElementCount];
            b.Read(weights, 0, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
            return (b.Name, values, (long[])[.. b.Shape]);
        });
}
