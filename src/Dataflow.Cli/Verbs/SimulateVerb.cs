using System.CommandLine;
using System.Text;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Reports;
using Dataflow.Reports.Pages;
using Dataflow.Simulation;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>dataflow simulate: how fast a plan would be on a machine, without the machine.</summary>
internal static class SimulateVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow simulate 8b --seqlen 8192 --device-memory 24 --host-memory 75 --hardware h100 --policy reference",
        "dataflow simulate 8b --seqlen 8192 --device-memory 24 --host-memory 110 --hardware h200 --explain --page step.html",
        "dataflow simulate --batch requests.jsonl > answers.jsonl",
    ];

    /// <summary>What was asked for.</summary>
    private sealed record Wanted(string? Batch, string? Trace, string? Page, PlanCache Cache, bool Explain, bool Json);

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "simulate",
            "Predicts the throughput of a plan on a machine: step time, stalls and what is awaited. No GPU is needed."
        );
        var model = new Argument<string?>("model")
        {
            Description = "a JSON config, a folder with a config.json, or a name in models/",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var seqlen = Declare.Option<int?>("--seqlen", "N", "tokens of a sequence, for example 4096 or 4k", t => Values.Seqlen(t));
        var device = Declare.Option<Bytes?>(
            "--device-memory",
            "SIZE",
            "device memory budget, for example 24GiB; a plain number is GiB",
            t => Values.Size(t)
        );
        var host = Declare.Option<Bytes?>("--host-memory", "SIZE", "host memory budget", t => Values.Size(t));
        var (geometry, policy) = (new GeometryFlags(), PolicyFlags.OfSimulation);
        var batch = Declare.Option<string?>(
            "--batch",
            "FILE",
            "answer a file of requests, a JSON object a line (- for standard input), with as many lines in the same order; memory in GiB",
            Values.FilePath
        );
        var trace = Declare.Option<string?>("--trace", "FILE", "write the step's timeline there, for Perfetto", Values.FilePath);
        var page = Declare.Option<string?>("--page", "FILE", "write the step's timeline there as a page for a browser", Values.FilePath);
        var deterministic = Declare.Flag(
            "--deterministic",
            "assume a bit-reproducible attention where the profile has the rate of a faster one: its backward takes 1 / 0.86 of the time"
        );
        var explain = Declare.Flag("--explain", Explanations.Help);
        var json = Declare.Flag("--json", "print one JSON object");
        command.Arguments.Add(model);
        Option[] budgets = [seqlen, device, host], own = [deterministic, batch, trace, page, explain, json];
        budgets.ToList().ForEach(command.Options.Add);
        geometry.AddTo(command);
        policy.AddTo(command);
        own.ToList().ForEach(command.Options.Add);

        command.SetAction(parsed =>
        {
            var wanted = new Wanted(
                parsed.GetValue(batch),
                parsed.GetValue(trace),
                parsed.GetValue(page),
                policy.Cache(parsed),
                parsed.GetValue(explain),
                parsed.GetValue(json)
            );
            if (wanted.Batch is not null)
            {
                return (int)Batch(
                    wanted,
                    parsed.GetValue(model) is not null || parsed.GetValue(seqlen) is not null || geometry.NamesHardware(parsed)
                );
            }

            string path = parsed.GetValue(model)
                ?? throw new UserErrorException("<model> is missing; give a JSON config or a name in models/, or --batch FILE");
            int tokens = parsed.GetValue(seqlen)
                ?? throw new UserErrorException("--seqlen is missing; give the tokens of a sequence, for example --seqlen 8192");
            var budget = new MemoryBudget(
                parsed.GetValue(host)
                    ?? throw new UserErrorException(
                        "--host-memory is missing; give the budget on that machine, for example --host-memory 75GiB"
                    ),
                parsed.GetValue(device)
                    ?? throw new UserErrorException(
                        "--device-memory is missing; give the budget on that machine, for example --device-memory 24GiB"
                    )
            );
            var settings = geometry.Bind(parsed, path, tokens, budget.Device, budget.Host);
            var machine = settings.Hardware
                ?? throw new UserErrorException("--hardware is missing; give a name in profiling/hardware, for example --hardware h100");
            using var source = Notices.Open(path).Trained(settings);
            return (int)One(
                wanted,
                new SimulationRequest(
                    path,
                    source.Model,
                    tokens,
                    budget,
                    parsed.GetValue(deterministic) ? EfficiencyConstants.Deterministic(machine) : machine,
                    policy.Given(parsed) ?? PlanPolicy.Auto,
                    settings.GlobalBatch,
                    settings.Dtype
                )
                {
                    Pins = settings.Pins,
                    SaveSet = settings.SaveSet,
                    Attention = settings.Attention,
                    Optimizer = settings.Optimizer,
                    ClipNorm = settings.Clip,
                }
            );
        });
        return command;
    }

    private static ExitCode One(Wanted wanted, SimulationRequest request)
    {
        // Refused before the work of minutes, not after it.
        using var trace = wanted.Trace is { } path ? AtomicFile.Create(path) : null;
        using var page = wanted.Page is { } file ? AtomicFile.Create(file) : null;
        var answer = Waiting.For("simulating", () => SimulationChanges.WithChanges(
            SimulationAnswer.Of(request, SimulationAnswer.SearchFor(request, wanted.Cache, wanted.Explain), wanted.Explain)));
        if (wanted.Json)
        {
            var line = SimulationJson.Of(answer);
            if (wanted.Explain)
            {
                line["explain"] = answer is SimulationAnswer.Feasible { Step.Why: { } said }
                    ? ExplanationJson.Of(said, request.Hardware, Explanations.Recipe(request.Question))
                    : null;
            }

            Console.Out.WriteLine(line.ToJsonString());
        }

        if (answer is SimulationAnswer.Infeasible infeasible)
        {
            throw new InfeasibleException(infeasible.Reason);
        }

        var step = ((SimulationAnswer.Feasible)answer).Step;
        if (trace is not null)
        {
            PerfettoTrace.WriteTo(trace, step.Schedule, step.Timeline);
        }

        if (page is not null)
        {
            page.Write(
                Encoding.UTF8.GetBytes(
                    TimelinePage.Of(
                        TitleOf(request),
                        step.Schedule,
                        new ShownStep($"for {request.Hardware.Name}, with {request.Standing.InRow}", ResultSource.Simulated, step.Timeline)
                    )
                )
            );
            page.Commit();
        }

        if (!wanted.Json)
        {
            SimulationReport.Write(Console.Out, request, step);
            if (step.Why is { } why)
            {
                ExplanationReport.Write(Console.Out, why, request.Hardware, Explanations.Recipe(request.Question));
            }
        }

        return ExitCode.Ok;
    }

    private static string TitleOf(SimulationRequest request) =>
        $"{ModelSource.NameOf(request.ModelPath)}, sequences of {request.Seqlen:N0} on {request.Hardware.Name}: "
            + $"{request.Budget.Device} of device memory, {request.Budget.Host} of host memory";

    private static ExitCode Batch(Wanted wanted, bool hasRequest)
    {
        if (hasRequest || wanted.Trace is not null || wanted.Page is not null || wanted.Explain)
        {
            throw new UserErrorException(
                "--batch takes its requests from the file: leave out <model>, --seqlen, --hardware, --trace, --page and --explain"
            );
        }

        SimulationBatch.Run(wanted.Batch!, Console.Out, wanted.Cache, Notices.Tell);
        return ExitCode.Ok;
    }
}
