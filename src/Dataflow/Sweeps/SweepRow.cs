using System.Globalization;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Baseline;
using Dataflow.Reports;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>What became of a cell, as a row of a result file.</summary>
internal static class SweepRow
{
    private const double Giga = 1e9;

    /// <summary>A simulated cell.</summary>
    public static ResultRow Of(SweepCell cell, SimulationAnswer answer, string? commit) => answer switch
    {
        SimulationAnswer.Feasible feasible => OfStep(Named(cell, answer.Request, commit), feasible.Step),
        SimulationAnswer.Infeasible infeasible => Refused(Named(cell, answer.Request, commit), infeasible),
        _ => throw new ArgumentOutOfRangeException(nameof(answer), answer, "no answer"),
    };

    private static ResultRow Named(SweepCell cell, SimulationRequest request, string? commit) => new()
    {
        Machine = cell.Machine,
        HostGiB = cell.HostGiB,
        DeviceGiB = cell.DeviceGiB,
        Seqlen = cell.Seqlen,
        ModelSize = SizeOf(cell.Model, request.Model),
        Model = cell.Model,
        Source = ResultSource.Simulated,
        Policy = PlanPolicies.NameOf(request.Policy),
        Commit = commit,
        Hardware = request.Hardware.Name,
        Dtype = request.ChosenRecipe.Name,
        Standing = request.Standing.InRow,
    };

    /// <summary>Billions of parameters as the model's name has them ("8b"), else as they are.</summary>
    private static double SizeOf(string name, ModelConfig model) =>
        name.EndsWith('b') && double.TryParse(name[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double size)
            ? size
            : Math.Round(model.ParameterCount / Giga, 6);

    private static ResultRow OfStep(ResultRow row, SimulatedStep step)
    {
        var (t, saved) = (step.Throughput, step.Saved);
        double Moved(LinkDirection direction) => step.Costs.Where(c => c.Link == direction.Index).Sum(c => (double)c.Bytes) / Giga;
        return row with
        {
            UsedHostGiB = step.Host.GiB,
            UsedDeviceGiB = step.Device.GiB,
            ChunkTokens = step.Geometry.ChunkTokens,
            HomeActivations = saved.Home,
            InputOnlySaved = saved.InputOnly,
            AttentionSaved = saved.Attention,
            FullSaved = saved.Full,
            DeviceActivations = saved.Resident,
            Rounds = step.Geometry.Rounds,
            SequencesPerStep = step.Geometry.Rows,
            RecomputeFraction = step.Shares.Recompute,
            AttentionFraction = step.Shares.Attention,
            StepSeconds = step.Seconds,
            TokensPerSecond = t.TokensPerSecond,
            Tflops = t.FlopsPerSecond / 1e12,
            Mfu = t.Mfu,
            Hfu = t.Hfu,
            PlanHash = step.Hash,
            PredictedTokensPerSecond = t.TokensPerSecond,
            StallPercent = 100 * step.Stalls.Sum(s => s.Nanoseconds) / Giga / step.Seconds,
            ToDeviceGB = Moved(LinkDirection.HostToDevice),
            ToHostGB = Moved(LinkDirection.DeviceToHost),
        };
    }

    private static ResultRow Refused(ResultRow row, SimulationAnswer.Infeasible infeasible)
    {
        (Bytes? Device, Bytes? Host)? smallest =
            infeasible.Smallest is var (device, host) ? (device, host)
            : infeasible.Request.Policy == PlanPolicy.Reference ? SmallestOfReference(infeasible.Request)
            : null;
        return row with
        {
            Feasible = false,
            Reason = infeasible.Reason,
            SmallestDeviceGiB = smallest?.Device?.GiB,
            SmallestHostGiB = smallest?.Host?.GiB,
        };
    }

    /// <summary>The published system knows no smallest budget: the least that it takes, to a MiB, with the other budget as it is.</summary>
    private static (Bytes? Device, Bytes? Host)? SmallestOfReference(SimulationRequest request)
    {
        try
        {
            return BaselineLimits.Of(
                new BaselineRequest(request.Model, BaselineMachine.Of(request.Hardware), request.Seqlen, request.Budget)
            );
        }
        catch (UserErrorException)
        {
            return null;
        }
    }
}
