using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>What a store keeps, what it gives back, and what it leaves alone.</summary>
public sealed class CheckpointStoreTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly List<string> notices = [];

    public static TheoryData<string> Recipes => [.. Recipe.All.Select(r => r.Name)];

    public void Dispose() => folder.Dispose();

    private string[] Steps => [.. folder.Names.Where(n => n != FolderLock.FileName)];

    private CheckpointStore Open(int keep = 2) => CheckpointStore.Open(folder.Root, keep, notices.Add, new MortalDisk(folder.Root));

    [Theory, MemberData(nameof(Recipes))]
    public void What_was_saved_is_read_back_to_the_bit(string name)
    {
        var recipe = Recipe.All.Single(r => r.Name == name);
        using var store = Open();
        var state = SampleRun.State(3, recipe);
        var saved = store.Save(state, SampleRun.Progress(3, recipe), score: 1.25);
        var found = CheckpointSearch.Find(folder.Root, notices.Add);
        Assert.Equal(saved.Folder, found.Folder);
        Assert.Equal(1.25, found.Score);
        Assert.Equal(SampleRun.Progress(3, recipe) with { Settings = found.Progress.Settings }, found.Progress);
        Assert.Equal(SampleRun.Progress(3, recipe).Settings, found.Progress.Settings);
        Assert.Equal(SampleRun.Progress(3, recipe).Settings.Keys, found.Progress.Settings.Keys);
        float[] want = SampleRun.Values(state), got = SampleRun.Load(found);
        float Stored(float v) => recipe == Recipe.Fp32 ? v : ElementConversion.FromBFloat16(ElementConversion.ToBFloat16(v));
        Assert.Equal(want.Select(Stored).Take(5), got.Take(5));
        Assert.Equal(want.Length, got.Length);
        Assert.Equal(SampleRun.Model, ModelFiles.LoadConfig(found.Folder) with { Name = SampleRun.Model.Name });
        Assert.Empty(notices);
    }

    [Theory, MemberData(nameof(Recipes))]
    public void The_size_of_a_save_is_known_beforehand(string name)
    {
        var recipe = Recipe.All.Single(r => r.Name == name);
        using var store = Open();
        var progress = SampleRun.Progress(12, recipe);
        var predicted = CheckpointStore.BytesOf(SampleRun.Model, recipe, progress);
        var saved = store.Save(SampleRun.State(12, recipe), progress, score: 0.123456789);
        Assert.Equal(predicted.Value, Directory.GetFiles(saved.Folder).Sum(f => new FileInfo(f).Length));
    }

    [Fact]
    public void The_last_ones_and_the_best_are_kept()
    {
        using var store = Open(keep: 2);
        double?[] scores = [5, 2, null, 3, 4, double.NaN];
        for (int step = 1; step <= scores.Length; step++)
        {
            store.Save(SampleRun.State(step), SampleRun.Progress(step), scores[step - 1]);
        }

        Assert.Equal(["step-00000002", "step-00000005", "step-00000006"], Steps);
    }

    [Fact]
    public void What_the_engine_did_not_write_is_neither_gone_on_from_nor_removed()
    {
        using var store = Open(keep: 1);
        store.Save(SampleRun.State(1), SampleRun.Progress(1));
        string[] users =
        [
            "step-00000002-keep", "step-best", "step-00000003", "step-2", "step-00000004-r1", "step-00000005-nonfinite-r2", "step-0000000٦",
        ];
        foreach (string name in users)
        {
            Copy(folder["step-00000001"], folder[name]);
        }

        Directory.CreateDirectory(folder["step-00000009"]);
        store.Save(SampleRun.State(2), SampleRun.Progress(2));
        Assert.Equal([.. users.Append("step-00000009").Append("step-00000002").Order(StringComparer.Ordinal)], Steps);
        var found = CheckpointSearch.Find(folder.Root, notices.Add);
        Assert.Equal(2, found.Progress.Step);
        Assert.Contains(notices, n => n.Contains("step-00000003 is a copy of step-00000001", StringComparison.Ordinal));

        // Named itself, a copy is what was asked for.
        Assert.Equal(1, CheckpointSearch.Find(folder["step-best"], notices.Add).Progress.Step);
        SampleRun.Load(CheckpointSearch.Find(folder["step-00000002-keep"] + "/", notices.Add));
    }

    [Fact]
    public void A_step_saved_again_replaces_the_first_copy()
    {
        using (var store = Open())
        {
            store.Save(SampleRun.State(1), SampleRun.Progress(1));
            var first = store.Save(SampleRun.State(2), SampleRun.Progress(2));

            // A step's state does not change: nothing is written again.
            Assert.Same(first, store.Save(SampleRun.State(2), SampleRun.Progress(2)));
        }

        using (var store = Open())
        {
            store.Save(SampleRun.State(2, variant: 1), SampleRun.Progress(2, variant: 1));
            Assert.Equal(["step-00000001", "step-00000002-r2"], Steps);
            store.Save(SampleRun.State(2, variant: 2), SampleRun.Progress(2, variant: 2));
        }

        Assert.Equal(["step-00000001", "step-00000002-r3"], Steps);
        Assert.Equal(SampleRun.Values(SampleRun.State(2, variant: 2)), SampleRun.Load(CheckpointSearch.Find(folder.Root, notices.Add)));
    }

    [Theory]
    [InlineData("fp32", float.NaN)]
    [InlineData("fp32", float.NegativeInfinity)]
    [InlineData("bf16", float.PositiveInfinity)]
    [InlineData("bf16-master", float.NaN)]
    public void A_checkpoint_with_values_that_are_not_finite_is_called_so(string name, float value)
    {
        var recipe = Recipe.All.Single(r => r.Name == name);
        using var store = Open(keep: 1);
        store.Save(SampleRun.State(1, recipe), SampleRun.Progress(1, recipe));
        for (int step = 2; step <= 4; step++)
        {
            var good = SampleRun.State(step, recipe);
            var moments = new WithValue(good.Parts[1], value, ParameterObject.Block(new Layer(0)), step - 1);
            var state = WithSecond(good, moments);
            Assert.False(store.Save(state, SampleRun.Progress(step, recipe)).IsFinite);
        }

        Assert.Equal(["step-00000001", "step-00000004-nonfinite"], Steps);
        Assert.Equal(1, CheckpointSearch.Find(folder.Root, notices.Add).Progress.Step);
        store.Begin(1);
        var found = CheckpointSearch.Find(folder["step-00000004-nonfinite"], notices.Add);
        Assert.Equal((4, false), (found.Progress.Step, found.IsFinite));
        string tensor = Assert.Single(found.State.NotFinite);
        Assert.Contains("input_layernorm.weight of second_moments.safetensors", tensor, StringComparison.Ordinal);
        store.Save(SampleRun.State(4, recipe), SampleRun.Progress(4, recipe, variant: 1));
        Assert.Equal(4, CheckpointSearch.Find(folder.Root, notices.Add).Progress.Step);
    }

    [Fact]
    public void An_export_of_values_that_are_not_finite_is_refused()
    {
        var bad = new WithValue(SampleRun.State(1).Weights, float.NaN, ParameterObject.Head, 1);
        string message = Assert
            .Throws<NotFiniteException>(() => ModelExport.Write(folder["out"], bad, DType.BFloat16, new ExportOptions()))
            .Message;
        Assert.Contains("model.norm.weight holds values that are not finite", message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder["out"]));
    }

    [Fact]
    public void A_save_that_the_disk_has_no_room_for_is_not_begun()
    {
        using var store = Open();
        store.Save(SampleRun.State(1), SampleRun.Progress(1));
        var huge = WeightInitialiser.Weights(SampleRun.Model with { VocabSize = 1 << 24, ModelDim = 1 << 20 }, 1);
        var state = new TrainingState(Recipe.Fp32, Optimizer.AdamW, huge, [huge, huge]);
        string message = Assert.Throws<SaveFailedException>(() => store.Save(state, SampleRun.Progress(2))).Message;

        // Table and head have 2^44 weights each, of three times four bytes: 384 TiB, or 393216 GiB.
        Assert.Contains("has too little room: a checkpoint takes 393", message, StringComparison.Ordinal);
        Assert.Equal(["step-00000001"], Steps);
    }

    [Fact]
    public void Later_steps_are_another_runs()
    {
        using var store = Open();
        store.Begin(0);
        store.Save(SampleRun.State(3), SampleRun.Progress(3));
        store.Begin(3);
        Assert.Contains("another run's checkpoint of step 3", UserErrors.Message(() => store.Begin(2)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_save_that_is_cancelled_or_fails_leaves_what_was_there()
    {
        using var store = Open(keep: 1);
        store.Save(SampleRun.State(1), SampleRun.Progress(1));
        using var cancel = new CancellationTokenSource();
        var state = WithSecond(SampleRun.State(2), new Failing(cancel.Cancel));
        Assert.Throws<OperationCanceledException>(() => store.Save(state, SampleRun.Progress(2), cancel: cancel.Token));
        Assert.Equal(["step-00000001"], Steps);
        state = WithSecond(SampleRun.State(2), new Failing(() => throw new IOException("the disk is gone")));
        string message = Assert.Throws<SaveFailedException>(() => store.Save(state, SampleRun.Progress(2))).Message;
        Assert.Contains("step 2 was not saved", message, StringComparison.Ordinal);
        Assert.Equal(["step-00000001"], Steps);
        store.Save(SampleRun.State(2), SampleRun.Progress(2));
        Assert.Equal(["step-00000002"], Steps);
    }

    [Fact]
    public async Task Disposal_waits_for_a_save_that_is_running()
    {
        var begun = new TaskCompletionSource();
        using var goOn = new ManualResetEventSlim();
        var store = Open();
        var state = SampleRun.State(2);
        int reads = 0;
        state = WithSecond(state, new Watched(state.Parts[1], () =>
        {
            if (reads++ == 0)
            {
                begun.SetResult();
                goOn.Wait();
            }
        }));
        var save = Task.Run(() => store.Save(state, SampleRun.Progress(2)));
        await begun.Task;
        var disposal = Task.Run(store.Dispose);
        await Task.Delay(50);
        Assert.False(disposal.IsCompleted);
        goOn.Set();
        await disposal;
        await save;
        Assert.Equal(["step-00000002"], Steps);
        Assert.Throws<ObjectDisposedException>(() => store.Save(state, SampleRun.Progress(3)));
        Open().Dispose();
    }

    private static TrainingState WithSecond(TrainingState state, IWeightSource moments) =>
        state with { Parts = [state.Parts[0], moments, .. state.Parts.Skip(2)] };

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.GetFiles(from))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }
    }

    private sealed class Failing(Action onRead) : IWeightSource
    {
        public ModelConfig Model => SampleRun.Model;

        public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type) => onRead();
    }

    private sealed class Watched(IWeightSource weights, Action onRead) : IWeightSource
    {
        public ModelConfig Model => weights.Model;

        public void Read(ParameterObject read, long firstElement, Span<byte> destination, DType type)
        {
            onRead();
            weights.Read(read, firstElement, destination, type);
        }
    }
}
