using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Tests;

/// <summary>A model whose layers differ goes through a run as any other: planned, trained, saved, resumed.</summary>
public class MixedLayersTests
{
    private const string Config = """
        {"name": "mixed", "vocab_size": 256, "model_dim": 64, "n_layers": 4, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16, "ffn_dim": 160,
         "rope_theta": 10000, "rms_norm_eps": 1e-6, "layers": [{"ffn_dim": 96, "window": 24}, {"ffn_dim": 160, "ffn_apart": true}]}
        """;

    /// <summary>What frozen layers may be stored in, and the recipe, whose parameters have another type.</summary>
    public static TheoryData<DType, string> FrozenTypes =>
        [
            .. DTypes.OfFrozen.Select(t => (t, Recipe.Fp32.Name)),
            .. from type in DTypes.OfFrozen
               from recipe in new[] { Recipe.Bf16, Recipe.Bf16Master }
               where type != recipe.Parameters
               select (type, recipe.Name),
        ];

    [Fact]
    public void A_run_stopped_and_resumed_has_the_losses_of_one_that_was_not()
    {
        using var tiny = new TinyRun();
        string model = tiny.PathOf("mixed.json");
        File.WriteAllText(model, Config);
        TrainingOptions Options(int steps, string? checkpoint = null)
        {
            var options = tiny.Options(steps, checkpoint);
            return options with { Plan = options.Plan with { Model = model } };
        }

        double[] straight = TinyRun.Losses(Options(4));
        Assert.True(straight[^1] < straight[0], $"losses {string.Join(", ", straight)}");
        double[] begun = TinyRun.Losses(Options(2, "saved"));
        using var more = TrainingRun.Resume(tiny.PathOf("saved"), saved => saved with { Steps = 4 });
        double[] resumed = [.. more.Steps(TestContext.Current.CancellationToken).Select(s => s.Step.Loss)];
        Assert.Equal(straight, begun.Concat(resumed));

        // The checkpoint's config says what differs.
        var config = ModelConfigReader.Parse(
            File.ReadAllText(Directory.GetFiles(tiny.PathOf("saved"), "config.json", SearchOption.AllDirectories)[0]),
            "mixed"
        );
        Assert.Equal([96, 160, 96, 160], config.Kinds.Select(k => k.FfnDim));
        Assert.Equal([24, null, 24, null], config.Kinds.Select(k => k.Window));
        Assert.Equal([false, true, false, true], config.Kinds.Select(k => k.FfnApart));
    }

    [Fact]
    public void Frozen_layers_stay_as_they_are_in_every_recipe_and_are_exported()
    {
        using var tiny = new TinyRun();
        string model = tiny.PathOf("frozen.json");
        const string Window = "\"window\": 24";
        File.WriteAllText(model, Config.Replace(Window, Window + ", \"ffn_apart\": true, \"frozen\": true", StringComparison.Ordinal));
        var config = ModelConfigReader.Parse(File.ReadAllText(model), "frozen");
        foreach (var recipe in new[] { Recipe.Fp32, Recipe.Bf16, Recipe.Bf16Stochastic, Recipe.Bf16Master })
        {
            byte[][] Trained(int steps)
            {
                var options = tiny.Options(steps);
                string folder = tiny.PathOf($"{recipe.Name}-{steps}");
                TinyRun.Losses(
                    options with
                    {
                        Plan = options.Plan with { Model = model, Dtype = recipe, DeviceMemory = new Bytes(3 << 20) },
                        Export = folder,
                    }
                );
                using var exported = Checkpoint.Open(folder);
                return [.. config.Layers.Select(l => Read(exported.WeightsOf(config), ParameterObject.Block(l)))];
            }

            var (first, last) = (Trained(1), Trained(3));
            foreach (var l in config.Layers)
            {
                Assert.Contains(first[l.Index], b => b != 0);
                Assert.Equal(config.KindOf(l).Frozen, first[l.Index].SequenceEqual(last[l.Index]));
            }
        }
    }

    /// <summary>Each checkpoint and export has the values that the stored matrices stand for, which are stored as the same again.</summary>
    [Theory]
    [MemberData(nameof(FrozenTypes))]
    public void Stored_frozen_layers_are_saved_resumed_and_exported_as_they_are(DType type, string recipe)
    {
        var dtype = Recipe.All.Single(r => r.Name == recipe);
        using var tiny = new TinyRun();
        string model = tiny.PathOf("stored.json"), exported = tiny.PathOf("exported");
        const string Window = "\"window\": 24";
        File.WriteAllText(
            model,
            Config.Replace(Window, Window + $", \"frozen\": true, \"frozen_dtype\": \"{type.Name()}\"", StringComparison.Ordinal)
        );
        TrainingOptions Options(int steps, string? checkpoint = null)
        {
            var options = tiny.Options(steps, checkpoint);
            return options with { Plan = options.Plan with { Model = model, Dtype = dtype } };
        }

        double[] straight = TinyRun.Losses(Options(4) with { Export = exported });
        Assert.True(straight[^1] < straight[0], $"losses {string.Join(", ", straight)}");
        double[] begun = TinyRun.Losses(Options(2, "saved"));
        using var more = TrainingRun.Resume(tiny.PathOf("saved"), saved => saved with { Steps = 4 });
        double[] resumed = [.. more.Steps(TestContext.Current.CancellationToken).Select(s => s.Step.Loss)];
        Assert.Equal(straight, begun.Concat(resumed));

        using var checkpoint = Checkpoint.Open(exported);
        var config = ModelFiles.LoadConfig(exported);
        Assert.Equal([type, null, type, null], config.Kinds.Select(k => k.FrozenType));
        byte[] frozen = Read(checkpoint.WeightsOf(config), ParameterObject.Block(new Layer(0)));
        byte[] trained = Read(checkpoint.WeightsOf(config), ParameterObject.Block(new Layer(1)));
        Assert.All(frozen.Chunk(4), v => Assert.True(type != DType.BFloat16 || (v[0] | v[1]) == 0));
        Assert.Equal(dtype.Parameters == DType.Float32, trained.Chunk(4).Any(v => (v[0] | v[1]) != 0));

        // A model that starts from what was exported has the same again.
        string again = tiny.PathOf("again");
        TrainingOptions From(string folder) =>
            tiny.Options(1) with { Plan = tiny.Options(1).Plan with { Model = folder, Dtype = dtype } };
        _ = TinyRun.Losses(From(exported) with { Export = again });
        using var second = Checkpoint.Open(again);
        Assert.Equal(frozen, Read(second.WeightsOf(config), ParameterObject.Block(new Layer(0))));
    }

    private static byte[] Read(IWeightSource source, ParameterObject weights)
    {
        byte[] bytes = new byte[weights.Layout(source.Model).ElementCount * sizeof(float)];
        source.Read(weights, 0, bytes, DType.Float32);
        return bytes;
    }
}
