using System.CommandLine;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>dataflow gradients: loss and gradients of a model's own tokens, for comparison with other programs.</summary>
internal static class GradientsVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow gradients tests/golden/llama-small --seqlen 64 --device-memory 16MiB --host-memory 16MiB --chunk 32 --out "
            + "/tmp/gradients.safetensors",
    ];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "gradients",
            "Computes one forward and backward pass over a model folder's tokens.bin and writes all gradients."
        );
        var (plan, device) = (new PlanOptions(), new DeviceOptions());
        var output = Declare.Option(
            "--out",
            "FILE",
            "the safetensors file to write: gradients under the weights' names, the loss as metadata",
            Values.FilePath
        );
        output.Required = true;
        plan.AddTo(command, ofSteps: false);
        device.AddTo(command);
        command.Options.Add(output);
        command.SetAction(parsed => (int)Execute(plan.Bind(parsed), device.Bind(parsed), parsed.GetRequiredValue(output)));
        return command;
    }

    private static ExitCode Execute(PlanSettings settings, DeviceSettings where, string output)
    {
        using var source = Notices.Open(settings.ModelPath);
        settings = where.Complete(settings);
        var budgets = Budgets.Choose(settings);
        var machine = MachineMemory.Read();
        var gpu = where.Gpu?.Memory;
        budgets.CheckAgainst(machine, gpu);
        string path = source.Tokens
            ?? throw new UserErrorException($"{settings.ModelPath} holds no tokens.bin to compute gradients on; give a folder that does");
        using var tokens = TokenFile.Open(path, settings.Seqlen, source.Model.VocabSize);
        Notices.Tell([.. source.NotesOf(settings.Seqlen), .. DataNotes.Of(tokens, path, source)]);
        var weights = source.Weights(seed: 0);
        var type = settings.Recipe.Gradients;
        CheckpointWriter.CheckWritable(output, source.Model, type);

        var request = settings.Request(source.Model, WorkloadKind.Gradients, budgets.Memory) with { Rows = tokens.RowCount };
        var plan = Plans.Require(Plans.Make(request));
        Budgets.CheckArenas(plan, machine, gpu);
        using var memory = GpuBudget.Watch(where, plan);
        using var device = where.Create(plan);
        memory?.Check(plan);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(weights);
        var report = trainer.Step(tokens, [.. Enumerable.Range(0, tokens.RowCount)], AdamWSettings.Default);
        string loss = report.Loss.ToString("G17");
        CheckpointWriter.Write(output, trainer.Gradients, type, new Dictionary<string, string> { ["loss"] = loss });
        Console.Out.WriteLine($"loss {loss}");
        return ExitCode.Ok;
    }
}
