using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Tests;

/// <summary>Runs whose trained weights are not those that steps read: what is saved, exported, validated and gone on with.</summary>
public class AveragedRunTests
{
    private static readonly Optimizer MovingAverage = Optimizer.AdamW.Averaged!;

    [Fact]
    public void A_moving_average_is_saved_exported_and_gone_on_with()
    {
        using var tiny = new TinyRun();
        float[] straight = Exported(tiny, MovingAverage, 4, "straight", "one");
        _ = Exported(tiny, MovingAverage, 2, "broken", "two");
        float[] resumed = Run(tiny, Resumed(tiny, "three"), "three");
        Assert.Equal(straight, resumed);

        var saved = SavedRun.Find(tiny.PathOf("straight")).Checkpoint;
        Assert.Equal(straight, Tensor(Path.Combine(saved.Folder, "average.safetensors")));
        Assert.Equal(Path.Combine(saved.Folder, "average.safetensors"), saved.CheckedWeights());
        Assert.NotEqual(straight, Tensor(Path.Combine(saved.Folder, "model.safetensors")));

        // Without it the training is the same.
        float[] plain = Exported(tiny, Optimizer.AdamW, 4, "plain", "four");
        Assert.Equal(plain, Tensor(Path.Combine(saved.Folder, "model.safetensors")));
    }

    [Fact]
    public void What_schedule_free_trains_is_saved_as_the_model_and_exported()
    {
        using var tiny = new TinyRun();
        float[] straight = Exported(tiny, Optimizer.ScheduleFree, 4, "straight", "one");
        _ = Exported(tiny, Optimizer.ScheduleFree, 2, "broken", "two");
        float[] resumed = Run(tiny, Resumed(tiny, "three"), "three");
        Assert.Equal(straight, resumed);

        var saved = SavedRun.Find(tiny.PathOf("straight")).Checkpoint;
        Assert.Equal(straight, Tensor(Path.Combine(saved.Folder, "model.safetensors")));
        float[] y = Tensor(Path.Combine(saved.Folder, "y.safetensors")), z = Tensor(Path.Combine(saved.Folder, "z.safetensors"));
        for (int i = 0; i < straight.Length; i++)
        {
            Assert.Equal((y[i] - (0.1 * z[i])) / 0.9, straight[i], 1e-6);
        }

        Assert.NotEqual(straight, y);
    }

    private static float[] Exported(TinyRun tiny, Optimizer optimizer, int steps, string saved, string exported)
    {
        var options = tiny.Options(steps, saved);
        return Run(
            tiny,
            TrainingRun.Prepare(
                options with
                {
                    Plan = options.Plan with { Optimizer = optimizer },
                    Optimizer = optimizer.Defaults with { AverageDecay = optimizer.KeepsAverage ? 0.5f : 0 },
                    Export = tiny.PathOf(exported),
                }
            ),
            exported
        );
    }

    private static TrainingRun Resumed(TinyRun tiny, string exported) =>
        TrainingRun.Resume(tiny.PathOf("broken"), o => o with { Steps = 4, Export = tiny.PathOf(exported) });

    private static float[] Run(TinyRun tiny, TrainingRun prepared, string exported)
    {
        using (prepared)
        {
            _ = prepared.Steps(TestContext.Current.CancellationToken).Count();
        }

        return Tensor(Path.Combine(tiny.PathOf(exported), "model.safetensors"));
    }

    private static float[] Tensor(string path)
    {
        using var file = Checkpoint.Open(path);
        var tensor = file.Tensors.Values.First(t => t.Name.EndsWith("down_proj.weight", StringComparison.Ordinal));
        float[] values = new float[tensor.Count];
        tensor.ReadElements(0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
        return values;
    }
}
