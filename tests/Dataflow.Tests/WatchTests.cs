using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Tests;

/// <summary>Steps that are not finite, spikes of the loss, numbers by group: in whole runs that are broken off and gone on with.</summary>
public sealed class WatchTests
{
    private const string Bad = "Z";
    private const int Every = 5;

    [Fact]
    public void Skipped_steps_are_named_and_the_same_in_little_memory_and_after_a_break()
    {
        using var tiny = new TinyRun();
        var options = Overflowing(tiny, copies: 1) with { Steps = 24, Watch = new WatchOptions { OnNonFinite = NonFiniteSteps.Skip } };
        var straight = Run(options with { Checkpoint = tiny.PathOf("straight") });
        var skipped = straight.Where(s => s.Step.Skipped is not null).ToList();
        Assert.InRange(skipped.Count, 1, 3);
        Assert.All(skipped, s =>
        {
            Assert.Equal(NonFiniteKind.ForwardValue, s.Step.Skipped!.Kind);
            Assert.StartsWith("infinity in the residual stream", $"{s.Step.Skipped}", StringComparison.Ordinal);
            Assert.Contains("embedding, chunk", $"{s.Step.Skipped}", StringComparison.Ordinal);
        });
        Assert.Equal(24, straight[^1].Step.Step);

        var g = SavedRun.Find(tiny.PathOf("straight")).Checkpoint.Progress.Geometry;
        var pins = new GeometryPins(g.ChunkTokens, g.ChunksPerRound, g.Rounds, g.VocabularyBlocks, g.HeadTokens);
        var small = options with
        {
            Plan = options.Plan with { DeviceMemory = new Bytes(4 << 20), Pins = pins },
            Checkpoint = tiny.PathOf("broken"),
        };
        int at = skipped[0].Step.Step;
        var broken = Run(small with { Steps = at });
        using var more = TrainingRun.Resume(tiny.PathOf("broken"), o => o with { Steps = 24 });
        Assert.Equal(Losses(straight), Losses([.. broken, .. more.Steps(TestContext.Current.CancellationToken)]));
        Assert.Equal(Weights(tiny.PathOf("straight")), Weights(tiny.PathOf("broken")));
        var progress = SavedRun.Find(tiny.PathOf("broken")).Checkpoint.Progress;
        Assert.Equal((24, skipped.Count), (progress.Step, progress.Skipped));
    }

    [Fact]
    public void A_run_that_stops_keeps_the_step_before_and_may_go_on_by_skipping()
    {
        using var tiny = new TinyRun();
        var options = Overflowing(tiny, copies: 1) with { Steps = 24, Checkpoint = tiny.PathOf("saved") };
        var taken = new List<StepResult>();
        var diverged = Assert.Throws<DivergedException>(() => Run(options, taken));
        Assert.Contains("the first value that is not finite: infinity in the residual stream", diverged.Message, StringComparison.Ordinal);
        Assert.Equal(taken.Count, SavedRun.Find(tiny.PathOf("saved")).Checkpoint.Progress.Step);
        using var more = TrainingRun.Resume(
            tiny.PathOf("saved"), o => o with { Watch = new WatchOptions { OnNonFinite = NonFiniteSteps.Skip } });
        Assert.NotNull(more.Steps(TestContext.Current.CancellationToken).First().Step.Skipped);
    }

    [Fact]
    public void Too_many_skipped_steps_in_a_row_end_the_run()
    {
        using var tiny = new TinyRun();
        var options = Overflowing(tiny, copies: 1000) with
        {
            Steps = 40,
            Watch = new WatchOptions { OnNonFinite = NonFiniteSteps.Skip },
            Checkpoint = tiny.PathOf("saved"),
        };
        var taken = new List<StepResult>();
        Assert.Throws<DivergedException>(() => Run(options, taken));
        Assert.Equal(WatchOptions.MostSkipped, taken.Count);
        using var more = TrainingRun.Resume(tiny.PathOf("saved"));
        var again = Assert.Throws<DivergedException>(() => more.Steps(TestContext.Current.CancellationToken).ToList());
        Assert.Contains("12 steps in a row", again.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_spike_takes_the_run_back_and_past_its_data_and_a_broken_run_to_the_same_bits()
    {
        using var tiny = new TinyRun();
        string digits = string.Concat(Enumerable.Range(0, 1500));
        const string Letters = "qwertyuiopASDFGHJKLzxcvbnmPOIUYTREWQlkjhgfdsaMNBVCXZzyxwvutsrq";
        File.WriteAllText(tiny.PathOf("text.txt"), digits[..3200] + Letters + digits[3200..4600]);
        var options = tiny.Options(45);
        options = options with
        {
            Plan = options.Plan with { GlobalBatch = 64 },
            CheckpointEvery = Every,
            Optimizer = options.Optimizer with { LearningRate = 1e-3f },
            Watch = new WatchOptions { RollbackSpike = 2 },
        };
        var straight = Run(options with { Checkpoint = tiny.PathOf("straight") });
        var spike = Assert.Single(straight, s => s.Rollback is not null);
        var (at, to) = (spike.Rollback!.Step, spike.Rollback.To);
        Assert.Equal((at - 1) / Every * Every, to);
        Assert.True(spike.Rollback.Loss > spike.Rollback.Limit);
        int index = straight.IndexOf(spike);
        Assert.Equal(to + 1, straight[index + 1].Step.Step);
        Assert.Equal(45, straight[^1].Step.Step);

        // Breaks before the spike are saved between two checkpoints, which changes nothing; nor does one after it.
        foreach (int end in new[] { index - 2, index, index + 1, index + 3 })
        {
            string folder = tiny.PathOf($"broken-{end}");
            using (var run = TrainingRun.Prepare(options with { Checkpoint = folder }))
            {
                Assert.Equal(end, run.Steps(TestContext.Current.CancellationToken).Take(end).Count());
            }

            for (int again = end; again < index; again++)
            {
                using var one = TrainingRun.Resume(folder);
                Assert.Single(one.Steps(TestContext.Current.CancellationToken).Take(1));
            }

            using var more = TrainingRun.Resume(folder);
            var rest = more.Steps(TestContext.Current.CancellationToken).ToList();
            Assert.Equal(Losses(straight)[^5..], Losses(rest)[^5..]);
            Assert.Equal(Weights(tiny.PathOf("straight")), Weights(folder));
        }
    }

    [Fact]
    public void A_spike_is_a_loss_far_above_the_median_of_at_least_20()
    {
        var window = new LossWindow();
        foreach (int i in Enumerable.Range(0, 19))
        {
            window.Add(2 + (i % 3 * 0.1));
        }

        Assert.Equal(double.PositiveInfinity, window.Limit(3));
        window.Add(2.1);

        // Median 2.1; distances from it 0.1 or 0, their median 0.1.
        Assert.Equal(2.1 + (3 * 1.4826 * 0.1), window.Limit(3), 1e-12);
        Assert.Equal(window.Limit(2), new LossWindow($"{window}").Limit(2));
    }

    [Fact]
    public void What_cannot_act_is_refused_by_name()
    {
        using var tiny = new TinyRun();
        void IsRefused(string how, WatchOptions watch, string? checkpoint = null) =>
            Assert.StartsWith(
                how,
                Assert.Throws<UserErrorException>(() => Run(tiny.Options(2, checkpoint) with { Watch = watch })).Message,
                StringComparison.Ordinal
            );
        IsRefused("--on-non-finite skip needs --clip", new() { OnNonFinite = NonFiniteSteps.Skip });
        IsRefused("--watch needs --clip", new() { Every = 2 });
        IsRefused("--rollback-spike goes back to a checkpoint", new() { RollbackSpike = 3 });
        IsRefused("--rollback-spike goes back to a checkpoint", new() { RollbackSpike = 3 }, "saved");
    }

    [Fact]
    public void Watched_steps_have_numbers_by_group_whose_squares_sum_to_the_norm()
    {
        using var tiny = new TinyRun();
        var options = tiny.Options(4);
        var steps = Run(options with { Plan = options.Plan with { Clip = 1 }, Watch = new WatchOptions { Every = 2 } });
        Assert.Equal([false, true, false, true], steps.Select(s => s.Groups is not null));
        foreach (var step in steps.Where(s => s.Groups is not null))
        {
            Assert.Equal(["embedding", "layer 0", "layer 1", "layer 2", "layer 3", "head"], step.Groups!.Select(g => g.Group));
            double norm = step.Step.GradientNorm!.Value;
            Assert.Equal(norm, Math.Sqrt(step.Groups!.Sum(g => g.GradientNorm * g.GradientNorm)), norm * 1e-12);
            Assert.All(step.Groups!, g => Assert.InRange(g.UpdateRatio, 1e-5, 0.1));
        }
    }

    private static List<StepResult> Run(TrainingOptions options, List<StepResult>? into = null)
    {
        into ??= [];
        using var run = TrainingRun.Prepare(options);
        foreach (var step in run.Steps(TestContext.Current.CancellationToken))
        {
            into.Add(step);
        }

        return into;
    }

    private static long[] Losses(IReadOnlyList<StepResult> steps) =>
        [.. steps.Select(s => BitConverter.DoubleToInt64Bits(s.Step.Skipped is null ? s.Step.Loss : -1))];

    private static byte[] Weights(string folder) =>
        File.ReadAllBytes(Directory.GetFiles(SavedRun.Find(folder).Checkpoint.Folder, "model*.safetensors").Order().First());

    /// <summary>A model that multiplies embeddings, of which one token's is so large that it overflows.</summary>
    private static TrainingOptions Overflowing(TinyRun tiny, int copies)
    {
        var options = tiny.Options(1);
        string config = tiny.PathOf("config.json"), model = tiny.PathOf("model");
        File.WriteAllText(
            config,
            new JsonObject
            {
                ["model_type"] = "granite",
                ["architectures"] = new JsonArray("GraniteForCausalLM"),
                ["vocab_size"] = 256,
                ["hidden_size"] = 64,
                ["intermediate_size"] = 128,
                ["num_hidden_layers"] = 2,
                ["num_attention_heads"] = 2,
                ["num_key_value_heads"] = 2,
                ["max_position_embeddings"] = 128,
                ["rms_norm_eps"] = 1e-5,
                ["rope_theta"] = 10000.0,
                ["tie_word_embeddings"] = false,
                ["embedding_multiplier"] = 12.0,
                ["residual_multiplier"] = 1.0,
                ["attention_multiplier"] = 0.17,
                ["logits_scaling"] = 1.0,
                ["hidden_act"] = "silu",
            }.ToJsonString());
        TinyRun.Losses(options with { Plan = options.Plan with { Model = config }, Export = model });
        string file = Path.Combine(model, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(file);
        int header = (int)BitConverter.ToInt64(bytes);
        var tensors = JsonNode.Parse(bytes.AsSpan(8, header))!;
        int start = 8 + header + (int)tensors["model.embed_tokens.weight"]!["data_offsets"]![0]!.GetValue<long>();
        MemoryMarshal.Cast<byte, float>(bytes.AsSpan(start + (Bad[0] * 64 * sizeof(float)), 64 * sizeof(float))).Fill(3e38f);
        File.WriteAllBytes(file, bytes);
        string digits = string.Concat(Enumerable.Range(0, 2000));
        int every = digits.Length / copies;
        File.WriteAllText(
            tiny.PathOf("text.txt"),
            string.Concat(Enumerable.Range(0, copies).Select(i => string.Concat(Bad, digits.AsSpan(i * every, every)))));
        return options with { Plan = options.Plan with { Model = model, Clip = 1 } };
    }
}
