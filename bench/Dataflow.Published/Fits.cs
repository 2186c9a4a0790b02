using Dataflow.Model;
using Dataflow.Baseline;
using Dataflow.Simulation;

namespace Dataflow.Published;

/// <summary>The machines' fits: of the rows set aside for it, or of what is left of them without a head width.</summary>
internal sealed class Fits(IReadOnlyList<PublishedRow> rows, IReadOnlyDictionary<string, ModelConfig> models, Machines machines)
{
    /// <summary>Fits machines and writes their profiles; the H200 gets the H100's.</summary>
    public void Write(string checkout, IEnumerable<string> names, TextWriter log)
    {
        foreach (string name in names)
        {
            var fitted = RowsOf(name, without: null);
            log.WriteLine($"{name}: {fitted.Count} rows");
            var constants = Of(name, fitted, log, machines[name].Efficiency.IsEmpty ? null : EfficiencyConstants.Of(machines[name]));
            bool oneWidth = fitted.Select(r => models[r.Model].HeadDim).Distinct().Count() == 1;
            Figure Source(string constant, double value) =>
                oneWidth && constant == "attention_head_dim"
                    ? new Figure(
                        value,
                        FigureKind.Estimate,
                        "no published run of this machine had heads of 64: what is no tensor work takes as long at heads of 64 as at "
                            + "heads of 128, as on H100"
                    )
                    : new Figure(
                        value,
                        FigureKind.Fitted,
                        $"every other row of each model in bench/published on {name}, {fitted.Count} rows"
                    );
            Machines.Write(checkout, Machines.FileOf(name), constants, Source);
            if (name == "H100")
            {
                Machines.Write(checkout, "h200-sxm", constants, (constant, value) =>
                    new Figure(value, FigureKind.Borrowed, "h100-sxm, the same compute and link: " + Source(constant, value).Source)
                );
            }
        }
    }

    /// <summary>Every machine and head width as a fit predicts it that saw none of its rows.</summary>
    public IReadOnlyList<LeftOutPair> LeaveOneOut(TextWriter log) =>
        [
            .. rows.Where(r => r.Ran)
                .Select(r => (r.Machine, models[r.Model].HeadDim))
                .Distinct()
                .Order()
                .Select(p => LeaveOut(p.Machine, p.HeadDim, log)),
        ];

    private LeftOutPair LeaveOut(string machine, int headDim, TextWriter log)
    {
        log.WriteLine($"{machine} without heads of {headDim}");
        var left = RowsOf(machine, headDim);
        var found =
            left.Count > 0
                ? Of(machine, left, log)
                : EfficiencyConstants.Of([.. new MachinePriors(machines).OfKin(machine).Start.Select(Math.Exp)]);
        var constants = EfficiencyConstants.Of([.. found.Values.Select(v => Math.Round(v, 4))]); // as a profile has them
        var cost = new CostModel(machines[machine], DType.BFloat16, constants);
        var tested = rows.Where(r => r.Ran && r.Machine == machine && models[r.Model].HeadDim == headDim).ToList();
        double[] errors = [.. tested.AsParallel().AsOrdered().Select(r => Error(r, cost))];
        return new LeftOutPair(machine, headDim, left.Count, constants, [.. tested.Zip(errors, (r, e) => new RowError(r, e))]);
    }

    private EfficiencyConstants Of(string machine, IReadOnlyList<PublishedRow> fitted, TextWriter log, EfficiencyConstants? known = null) =>
        Fit.Of(machines[machine], MachinePriors.Of(machine), fitted.Select(r => (PlanOf(r), r.Number("avg_step_time"))), log, known);

    private List<PublishedRow> RowsOf(string machine, int? without) =>
        [.. rows.Where(r => r.IsFitted && r.Machine == machine && models[r.Model].HeadDim != without)];

    private double Error(PublishedRow row, CostModel machine)
    {
        var plan = PlanOf(row);
        return (plan.ThroughputAt(BaselinePrediction.Of(plan, machine).StepSeconds).TokensPerSecond / row.Number("tok_per_sec")) - 1;
    }

    private BaselinePlan PlanOf(PublishedRow row) =>
        ((BaselineResult.Feasible)BaselinePlanner.Plan(row.Request(models[row.Model]))).Plan;
}
