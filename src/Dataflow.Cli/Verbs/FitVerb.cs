using System.CommandLine;
using Dataflow.Model;
using Dataflow.Reports.Pages;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>dataflow fit: will it fit, and how fast would it be?</summary>
internal static class FitVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow fit llama-3.1-8b --hardware rtx4090 --host-memory 64 --tokens 100M --price 0.40",
        "dataflow fit --page fit.html",
    ];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "fit", "Says what can be trained with a GPU and so much memory, how fast, for how long and for how much.");
        var model = Declare.Argument("model", "a JSON config, a folder with a config.json, or a name in models/", Values.FilePath);
        model.Arity = ArgumentArity.ZeroOrOne;
        var hardware = Declare.Option<string?>(
            "--hardware", "NAME", "the GPU: a name in profiling/hardware or a profile's file", Values.FilePath);
        var host = Declare.Option<Bytes?>("--host-memory", "SIZE", "host memory, for example 64GiB", t => Values.Size(t));
        var device = Declare.Option<Bytes?>("--device-memory", "SIZE", "device memory [default: 98% of the GPU's]", t => Values.Size(t));
        var seqlen = Declare.Option<int?>("--seqlen", "N", "tokens of a sequence [default: several]", t => Values.Seqlen(t));
        var tokens = Declare.Option<long?>(
            "--tokens", "N", "tokens to train on, such as 100M: adds hours", t => Values.Tokens(t, 1, long.MaxValue / 2));
        var price = Declare.Option<double?>("--price", "PRICE", "of a GPU-hour: adds the cost", t => Values.Real(0, 1e6)(t));
        var page = Declare.Option<string?>(
            "--page", "FILE", "write the page that answers by choosing, with no model named", Values.FilePath);
        var grid = Declare.Option<string?>(
            "--grid", "FILE", "plan anew all that the page knows, for an hour, and write it there", Values.FilePath);
        var json = Declare.Flag("--json", "print one JSON object");
        command.Arguments.Add(model);
        Option[] all = [hardware, host, device, seqlen, tokens, price, page, grid, json];
        all.ToList().ForEach(command.Options.Add);
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(grid) is { } file)
            {
                return Compute(file);
            }

            if (parsed.GetValue(page) is { } written)
            {
                AtomicFile.WriteText(written, FitPage.Of(FitGrids.Shipped()));
                Console.Out.WriteLine($"Page in {written}: open it in a browser");
                return (int)ExitCode.Ok;
            }

            var question = new FitQuestion(
                parsed.GetValue(model) ?? throw new UserErrorException("<model> is missing; name one, or give --page FILE"),
                parsed.GetValue(hardware)
                    ?? throw new UserErrorException("--hardware is missing; name a GPU of profiling/hardware, for example rtx4090"),
                parsed.GetValue(host)
                    ?? throw new UserErrorException("--host-memory is missing; say what the machine has, for example 64GiB"))
            {
                DeviceMemory = parsed.GetValue(device),
                Seqlens = parsed.GetValue(seqlen) is { } one ? [one] : FitGrids.Seqlens,
                Tokens = parsed.GetValue(tokens),
                Price = parsed.GetValue(price),
            };
            var answers = Waiting.For("planning", question.Answer);
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(FitReport.Json(question, answers).ToJsonString());
            }
            else
            {
                FitReport.Write(Console.Out, question, answers);
            }

            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static int Compute(string file)
    {
        string note = $"commit {Locations.Commit() ?? "unknown"}";
        var computed = FitGrids.Compute(FitGrids.Models, FitGrids.Machines, FitGrids.Seqlens, FitGrids.HostGib, note, Messages.Tell);
        AtomicFile.WriteText(file, computed.ToJson());
        Console.Out.WriteLine($"Grid of {computed.Cells.Count:N0} cells in {file}");
        return (int)ExitCode.Ok;
    }
}
