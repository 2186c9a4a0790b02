using Dataflow.Model;
using Dataflow.Baseline;

namespace Dataflow;

/// <summary>What would make a refused simulation fit: each was tried.</summary>
public static class SimulationChanges
{
    private const int MostHalvings = 6;

    /// <summary>The answer, with the nearest changes in its reason where it is a refusal.</summary>
    public static SimulationAnswer WithChanges(SimulationAnswer answer)
    {
        if (answer is not SimulationAnswer.Infeasible refused)
        {
            return answer;
        }

        var request = refused.Request;
        var changes = request.Policy == PlanPolicy.Reference ? ShorterRows(request) : NearestChanges.Of(request.Question);
        string memory = request.Policy == PlanPolicy.Reference ? MoreMemory(request) : "";
        return refused with
        {
            Reason = $"{refused.Reason}{memory}{(changes.Count == 0 ? "" : $"; within these budgets {NearestChanges.Listed(changes)}")}",
            Changes = changes,
        };
    }

    private static BaselineRequest ToReference(SimulationRequest request) =>
        new(request.Model, BaselineMachine.Of(request.Hardware), request.Seqlen, request.Budget);

    private static string MoreMemory(SimulationRequest request)
    {
        var (device, host) = BaselineLimits.Of(ToReference(request));
        return (device, host) switch
        {
            ({ } d, { } h) => $": give at least {d.RoundedUp()} of device memory or at least {h.RoundedUp()} of host memory",
            ({ } d, null) => $": give at least {d.RoundedUp()} of device memory",
            (null, { } h) => $": give at least {h.RoundedUp()} of host memory",
            _ => BaselineLimits.Both(ToReference(request)) is { } both
                ? $": give at least {both.Device.RoundedUp()} of device memory and, with that, at least {both.Host.RoundedUp()} of host "
                    + $"memory"
                : "",
        };
    }

    private static IReadOnlyList<string> ShorterRows(SimulationRequest request)
    {
        for (int seqlen = request.Seqlen / 2, halved = 0; seqlen >= 2 && halved < MostHalvings; seqlen /= 2, halved++)
        {
            if (BaselineLimits.Fits(ToReference(request) with { Seqlen = seqlen }))
            {
                return [$"--seqlen {seqlen}"];
            }
        }

        return [];
    }
}
