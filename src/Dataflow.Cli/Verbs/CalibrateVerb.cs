using System.CommandLine;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>dataflow calibrate: measures the machine at hand and writes its hardware profile.</summary>
internal static class CalibrateVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow calibrate",
        "dataflow calibrate --device cuda --seconds 120 --out profiling/hardware/my-gpu.json",
    ];

    private const int DefaultSeconds = 90;
    private const int MostSeconds = 3600;
    private static readonly Bytes LargestProfile = new(1 << 20);

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "calibrate",
            "Measures this machine, GPU or CPU, and writes a hardware profile that plans and predictions use."
        );
        var device = new DeviceFlags();
        var recipe = Declare.Option(
            "--dtype",
            "fp32|bf16",
            "number format whose kernels are measured [default: bf16 on a GPU, else fp32]",
            Values.RecipeNamed
        );
        var seconds = Declare.Option(
            "--seconds",
            "N",
            $"seconds to measure, about; a slow machine takes longer, for a step of each case [default: {DefaultSeconds}]",
            Values.OptionalCount(1, MostSeconds)
        );
        var output = Declare.Option<string?>(
            "--out",
            "FILE",
            "where to write the profile [default: where `train` on this machine looks for it]",
            Values.FilePath
        );
        var json = Declare.Flag("--json", "print one JSON object");
        device.AddTo(command);
        command.Options.Add(recipe);
        command.Options.Add(seconds);
        command.Options.Add(output);
        command.Options.Add(json);
        command.SetAction(parsed =>
            (int)Run(
                device.Bind(parsed),
                parsed.GetValue(recipe),
                parsed.GetValue(seconds) ?? DefaultSeconds,
                parsed.GetValue(output),
                parsed.GetValue(json)
            )
        );
        return command;
    }

    private static ExitCode Run(DeviceOptions device, Recipe? recipe, int seconds, string? output, bool json)
    {
        if (device.Interleaving is not null)
        {
            throw new UserErrorException("--interleaving runs one op at a time: there is nothing to measure; leave it out");
        }

        var kind = device.Kind == DeviceKind.Cpu ? HardwareKind.Cpu : HardwareKind.Gpu;
        string path = output ?? HardwareFiles.Calibrated(HardwareFiles.CalibratedName(kind));
        if (output is null)
        {
            if (device.Kind == DeviceKind.CudaEmulated)
            {
                throw new UserErrorException(
                    "the times of the emulated driver say nothing about a machine; give --out with a file for them"
                );
            }

            PrepareFolder(path);
        }

        using var file = AtomicFile.Create(path, LargestProfile); // refused before minutes of measuring, not after them
        var calibration = new Calibration(device, recipe ?? (kind == HardwareKind.Gpu ? Recipe.Bf16 : Recipe.Fp32), seconds);
        string load = CalibratedProfile.Load();
        var measured = calibration.Run((what, percent) => Console.Error.WriteLine($"{percent,3}%  {what}"));
        var profile = CalibratedProfile.Of(measured, calibration, CalibratedProfile.Conditions(device, load));
        string text = HardwareProfileWriter.Write(profile);
        _ = HardwareProfileReader.Parse(text, path);
        file.Write(System.Text.Encoding.UTF8.GetBytes(text));
        file.Commit();
        if (measured.Skipped is { } skipped)
        {
            Console.Error.WriteLine(skipped);
        }

        if (json)
        {
            Console.Out.WriteLine(new JsonObject { ["profile"] = path, ["hardware"] = JsonNode.Parse(text) }.ToJsonString());
        }
        else
        {
            Write(profile, path);
        }

        return ExitCode.Ok;
    }

    private static void Write(HardwareProfile profile, string path)
    {
        string Both(LinkProfile link) =>
            $"{link.BytesPerSecond.Value / 1e9:0.0} GB/s alone, {link.BytesPerSecondBothBusy.Value / 1e9:0.0} GB/s with both directions "
                + $"busy, {link.LatencySeconds.Value * 1e6:0.0} us for a small one";
        Console.Out.WriteLine(
            $"Products        up to {profile.Bf16FlopsPerSecond.Value / 1e12:0.00} TFLOP/s in bf16, "
                + $"{profile.Fp32FlopsPerSecond.Value / 1e12:0.00} in fp32"
        );
        Console.Out.WriteLine($"Memory          up to {profile.MemoryBandwidthBytesPerSecond.Value / 1e9:0.0} GB/s");
        foreach (var direction in LinkDirection.Among(profile.TierCount))
        {
            string name = direction.Name.Replace('_', ' ');
            Console.Out.WriteLine($"{char.ToUpperInvariant(name[0])}{name[1..], -15}{Both(profile.Link(direction))}");
        }

        Console.Out.WriteLine($"Launch          {profile.KernelLaunchSeconds.Value * 1e6:0.0} us");
        Console.Out.WriteLine($"Reserved        {profile.ReservedDevice} of device memory");
        Console.Out.WriteLine(
            $"Kernels         {profile.Kernels!.ByKernel.Count} kernels at {profile.Kernels.ByKernel.Values.Sum(v => v.Length)} shapes"
        );
        Console.Out.WriteLine($"Conditions      {profile.KernelLaunchSeconds.Source.Split("; ", 2)[^1]}");
        Console.Out.WriteLine($"Profile {profile.Name} in {path}");
    }

    private static void PrepareFolder(string path)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path} cannot be written ({e.Message}); give --out");
        }
    }
}
