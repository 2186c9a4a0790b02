using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Cpu.Tests;

/// <summary>A run goes on from the newest checkpoint whose content is what was saved, to the bits of the unbroken run.</summary>
public sealed class ResumptionTests : IDisposable
{
    private const int Steps = 3;
    private readonly string folder = Directory.CreateTempSubdirectory("resumption-").FullName;
    private readonly List<string> notices = [];

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("fp32")]
    [InlineData("bf16-master")]
    public void The_checkpoint_before_takes_the_place_of_one_whose_content_is_damaged(string dtype)
    {
        var golden = new GoldenCase("llama-small");
        var recipe = Recipe.All.Single(r => r.Name == dtype);
        var plan = GoldenCase.Plan(golden.Request(recipe, WorkloadKind.Training));
        using var device = new CpuDevice(plan.Schedule, plan.Workload, threads: 1);
        var trainer = golden.Trainer(plan, device);
        var losses = new List<double>();
        using var store = CheckpointStore.Open(folder, Steps, notices.Add);
        for (int step = 1; step <= Steps; step++)
        {
            losses.Add(trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss);
            store.Save(trainer.State, new TrainingProgress(step, 0, dtype, plan.Workload.Geometry));
        }

        losses.Add(trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss);
        Assert.Equal(Steps, CheckpointSearch.Find(folder, notices.Add).Progress.Step);
        Assert.Empty(notices);

        // One bit of the newest one's moments, and one in the name of a tensor of the one before.
        Flip("step-00000003/second_moments.safetensors", -1);
        Flip("step-00000002/model.safetensors", 20);
        var resumed = golden.Trainer(plan, device);
        var loaded = store.Load(CheckpointSearch.Find(folder, notices.Add), resumed);
        Assert.Equal((1, 1), (loaded.Progress.Step, resumed.StepsDone));
        Assert.Equal(2, notices.Count);
        const string damaged = "second_moments.safetensors is damaged: its checksum does not agree; going on from";
        Assert.Contains(damaged, notices[0], StringComparison.Ordinal);
        Assert.Contains("step-00000002/model.safetensors", notices[1], StringComparison.Ordinal);
        Assert.Equal(losses[1..], Enumerable.Range(0, Steps).Select(_ => resumed.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss));

        // What is damaged is no later step of another run, does not count among those to keep, and goes when it is old.
        store.Begin(1);
        store.Save(resumed.State, new TrainingProgress(4, 0, dtype, plan.Workload.Geometry));
        Assert.Equal(["step-00000001", "step-00000002", "step-00000003", "step-00000004"], Names());
        store.Save(resumed.State, new TrainingProgress(5, 0, dtype, plan.Workload.Geometry));
        store.Save(resumed.State, new TrainingProgress(6, 0, dtype, plan.Workload.Geometry));
        Assert.Equal(["step-00000004", "step-00000005", "step-00000006"], Names());

        // Nothing is left to go on from.
        foreach (string name in Names())
        {
            Flip($"{name}/first_moments.safetensors", -2);
        }

        string message = Assert.Throws<UserErrorException>(() => store.Load(CheckpointSearch.Find(folder, notices.Add), resumed)).Message;
        Assert.Contains("and there is no older checkpoint of this run to go on from", message, StringComparison.Ordinal);
    }

    private string[] Names() => [.. Directory.GetDirectories(folder).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    private void Flip(string name, int place)
    {
        string path = Path.Combine(folder, name);
        byte[] content = File.ReadAllBytes(path);
        content[place < 0 ? content.Length + place : place] ^= 1;
        File.WriteAllBytes(path, content);
    }
}
