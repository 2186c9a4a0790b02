using Dataflow.Planning;

namespace Dataflow.Tests;

/// <summary>The code that documentation shows does what it says.</summary>
public class DocumentedCodeTests
{
    [Fact]
    public void What_it_shows_of_planning_runs()
    {
        DocumentedCode.Planning.WillItFit();
        var options = new PlanOptions
        {
            Model = "nano",
            Seqlen = 128,
            DeviceMemory = Values.Size("8MiB"),
            HostMemory = Values.Size("64MiB"),
            Device = DeviceOptions.Cpu,
            NoCache = true,
        }.WithHardware("cpu");
        var plan = Assert.IsType<PlanResult.Feasible>(Plans.Make(options)).Plan;
        DocumentedCode.Planning.Look(plan);
        DocumentedCode.Planning.Timeline(plan, options);
    }

    [Fact]
    public void What_it_shows_of_training_runs_and_saves()
    {
        using var folder = new TinyRun();
        string saved = folder.PathOf("saved");
        DocumentedCode.Training.Train(folder.PathOf("text.txt"), saved);
        Assert.True(Directory.Exists(Path.Combine(saved, "step-00000004")));
        DocumentedCode.Training.GoOn(saved);
        Assert.True(Directory.Exists(Path.Combine(saved, "step-00000006")));
    }

    [Fact]
    public async Task What_it_shows_of_generation_runs()
    {
        using var folder = new TinyRun();
        string model = TinyModel.Make(folder);
        var console = Console.Out;
        using var said = new StringWriter();
        try
        {
            Console.SetOut(said);
            await DocumentedCode.Generating.Continue(model);
        }
        finally
        {
            Console.SetOut(console);
        }

        Assert.NotEmpty(said.ToString());
    }
}
