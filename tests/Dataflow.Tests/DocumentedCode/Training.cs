namespace Dataflow.Tests.DocumentedCode;

/// <summary>What documentation shows of training. It copies the regions, and each is run by <see cref="DocumentedCodeTests"/>.</summary>
internal static class Training
{
    public static void Train(string text, string folder)
    {
        // <snippet train>
        var options = new TrainingOptions
        {
            Plan = new PlanOptions
            {
                Model = "nano",
                Seqlen = 128,
                DeviceMemory = Values.Size("8MiB"),
                HostMemory = Values.Size("64MiB"),
                GlobalBatch = 512,
                Device = DeviceOptions.Cpu,
            },
            Data = [text],
            Steps = 4,
            Checkpoint = folder,
        };
        using var run = TrainingRun.Prepare(options);
        foreach (var step in run.Steps())
        {
            Console.WriteLine($"step {step.Step.Step}: loss {step.Step.Loss:0.0000}");
        }
        // </snippet>
    }

    public static void GoOn(string folder)
    {
        // <snippet go-on>
        using var run = TrainingRun.Resume(folder, saved => saved with { Steps = 6 });
        foreach (var step in run.Steps())
        {
            Console.WriteLine($"step {step.Step.Step}: loss {step.Step.Loss:0.0000}");
        }
        // </snippet>
    }
}
