using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>A simulated step for people.</summary>
public static class SimulationReport
{
    private const int HashShown = 16;

    /// <summary>Summary, links and stalls.</summary>
    public static void Write(TextWriter output, SimulationRequest request, SimulatedStep step)
    {
        var (g, t) = (step.Geometry, step.Throughput);
        string stored = request.Model.BaseWeights is { } type ? $", base weights in {type.Name()}" : "";
        output.WriteLine(
            $"{request.Model.Name} at seqlen {request.Seqlen:N0} on {request.Hardware.Name}, policy "
                + $"{PlanPolicies.NameOf(request.Policy)}, {request.ChosenRecipe.Name}{stored}: simulated, nothing ran"
        );
        output.WriteLine($"  predicted with {request.Standing.Rates!.Text}");
        output.WriteLine(
            $"Step: {g.TokensPerStep:N0} tokens in {step.Seconds:0.000} s; chunks of {g.ChunkTokens:N0} tokens, {g.ChunksPerRound} a "
                + $"round, {g.Rounds} {(g.Rounds == 1 ? "round" : "rounds")}"
        );
        output.WriteLine(
            $"  {t.TokensPerSecond:N0} tok/s, {t.FlopsPerSecond / 1e12:0.0} TFLOP/s, MFU {t.Mfu:0.0%}, HFU {t.Hfu:0.0%}; speed of light "
                + $"{step.SpeedOfLight:0.000} s, reached to {step.SpeedOfLight / step.Seconds:0.0%}"
        );
        output.WriteLine(
            $"Memory: device {PlanReport.Against(step.Device, request.Budget.Device)}, host "
                + $"{PlanReport.Against(step.Host, request.Budget.Host)}"
        );
        request.Standing.WriteNotes(output);
        output.WriteLine("Streams:");
        var table = new TextTable("", "busy", "of the step", "copies", "bytes", "rate");
        long compute = step.Timeline.Busy(step.Schedule, StepStreams.Compute);
        table.Add("compute", Seconds(compute), Share(compute, step), "", "", "");
        foreach (var use in LinkUse.Of(step.Timeline, step.Costs.AsSpan()))
        {
            table.Add(
                ShownNames.Of(use.Direction),
                Seconds(use.BusyNanoseconds),
                Share(use.BusyNanoseconds, step),
                $"{use.Copies:N0}",
                new Bytes(use.Bytes).ToString(),
                $"{use.BytesPerSecond / 1e9:0.0} GB/s"
            );
        }

        table.WriteTo(output);
        if (PartTimesText.Line(request.Model, step.Schedule, step.Timeline) is { } parts)
        {
            output.WriteLine(parts);
        }

        var stalls = step.Stalls;
        output.WriteLine(stalls.Count == 0 ? "Compute never waits" : "Compute waits for:");
        var reasons = new TextTable("", "stalled", "of the step", "ops");
        foreach (var (reason, nanoseconds, times) in stalls)
        {
            reasons.Add(reason, Seconds(nanoseconds), Share(nanoseconds, step), $"{times:N0}");
        }

        if (stalls.Count > 0)
        {
            reasons.WriteTo(output);
        }

        output.WriteLine($"Plan {step.Hash[..HashShown]}: {step.Schedule.Ops.Length:N0} ops a step");
    }

    private static string Seconds(long nanoseconds) => $"{nanoseconds / 1e9:0.000} s";

    private static string Share(long nanoseconds, SimulatedStep step) => $"{nanoseconds / 1e9 / step.Seconds:0.0%}";
}
