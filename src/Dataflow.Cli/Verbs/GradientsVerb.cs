using System.CommandLine;

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
        var (plan, device) = (new PlanFlags(), new DeviceFlags());
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
        command.SetAction(parsed => (int)Execute(plan.Bind(parsed) with { Device = device.Bind(parsed) }, parsed.GetRequiredValue(output)));
        return command;
    }

    private static ExitCode Execute(PlanOptions settings, string output)
    {
        double loss = Gradients.Write(settings, output, Messages.Tell);
        Console.Out.WriteLine($"loss {loss:G17}");
        return ExitCode.Ok;
    }
}
