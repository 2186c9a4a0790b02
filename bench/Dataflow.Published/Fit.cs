using Dataflow.Model;
using Dataflow.Baseline;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Published;

/// <summary>
/// The efficiency constants of a machine, from the step times of the rows that were set aside for it: Levenberg-Marquardt on the logarithms
/// of predicted over measured time, by logarithms of the constants, with differences above 5% counting linearly so that no few rows
/// decide. What a machine's rows say nothing about, the prior decides.
/// </summary>
internal sealed class Fit
{
    private const double Linear = 0.05;
    private const double Step = 0.01;
    private const double MostDamping = 1e3;
    private const double ClearlyBetter = 0.98;
    private const int MostSteps = 30;

    // A link may be a little faster than where it was measured, but not faster than its kind; a chip may clock higher than its peak says.
    private static readonly double[] Most = [.. new[] { 1.3, 1.3, 1.3, 2, 1.1, 1.1 }.Select(x => Math.Log(x))];

    private readonly HardwareProfile profile;
    private readonly FitPrior prior;
    private readonly IReadOnlyList<(BaselinePlan Plan, Schedule Schedule, double Seconds)> rows;

    private Fit(HardwareProfile profile, FitPrior prior, IEnumerable<(BaselinePlan Plan, double Seconds)> rows)
    {
        (this.profile, this.prior) = (profile, prior);
        this.rows = [.. rows.AsParallel().AsOrdered().Select(r => (r.Plan, BaselineLowering.Lower(r.Plan), r.Seconds))];
    }

    /// <summary>Fits all six.</summary>
    /// <param name="known">What an earlier fit of the same rows found: where this one begins, and what it keeps unless it finds clearly
    /// better ones, so that plans stay as they are.</param>
    public static EfficiencyConstants Of(
        HardwareProfile profile,
        FitPrior prior,
        IEnumerable<(BaselinePlan Plan, double Seconds)> rows,
        TextWriter log,
        EfficiencyConstants? known = null
    )
    {
        var fit = new Fit(profile, prior, rows);
        double[] at = known is null ? prior.Start : [.. known.Values.Select(Math.Log)], residuals = fit.Residuals(at);
        double[][] jacobian = fit.Jacobian(at, residuals);
        double damping = 1e-2, cost = fit.Cost(residuals), first = cost;
        bool exact = true;
        for (int step = 0; step < MostSteps && damping < MostDamping; step++)
        {
            double[] next = fit.Next(at, residuals, jacobian, damping), found = fit.Residuals(next);
            double nextCost = fit.Cost(found);
            bool better = nextCost < cost, settled = cost - nextCost < 1e-4 * cost;
            if (better)
            {
                Update(jacobian, [.. next.Zip(at, (a, b) => a - b)], [.. found.Zip(residuals, (a, b) => a - b)]);
                (at, residuals, cost, damping) = (next, found, nextCost, damping / 4);
                log.WriteLine(
                    $"  {step}: cost {cost:0.00000}, rms {Math.Sqrt(residuals.Take(fit.rows.Count).Average(r => r * r)):0.00%} at "
                        + $"{string.Join(" ", at.Select((double x) => Math.Exp(x).ToString("F4")))}"
                );
            }

            if (settled && exact && better)
            {
                break;
            }

            // What was carried along is good for a step that gains; where it gains nothing, the slopes are taken anew, and only then are
            // steps shortened.
            if (settled && !exact)
            {
                jacobian = fit.Jacobian(at, residuals);
            }
            else if (!better)
            {
                damping *= 4;
            }

            exact = settled;
        }

        return known is not null && cost > ClearlyBetter * first ? known : Constants(at);
    }

    private static EfficiencyConstants Constants(double[] at) => EfficiencyConstants.Of([.. at.Select(x => Math.Exp(x))]);

    private double Cost(double[] residuals) =>
        residuals.Select((r, i) => i >= rows.Count || Math.Abs(r) < Linear ? r * r / 2 : Linear * (Math.Abs(r) - (Linear / 2))).Sum();

    /// <summary>Of the rows, and behind them of the prior.</summary>
    private double[] Residuals(double[] at)
    {
        var machine = new CostModel(profile, DType.BFloat16, Constants(at));
        return
        [
            .. rows.AsParallel()
                .AsOrdered()
                .Select(r => Math.Log(BaselinePrediction.Of(r.Plan, r.Schedule, machine).StepSeconds / r.Seconds)),
            .. prior.Residuals(at),
        ];
    }

    private double[][] Jacobian(double[] at, double[] residuals) => [.. at.Select((_, k) =>
    {
        double[] moved = [.. at];
        moved[k] += Step;
        return (double[])[.. Residuals(moved).Zip(residuals, (a, b) => (a - b) / Step)];
    })];

    /// <summary>Broyden's update: the slopes that explain the last step's change, and else are as they were.</summary>
    private static void Update(double[][] jacobian, double[] step, double[] change)
    {
        double square = step.Sum(s => s * s);
        for (int r = 0; r < change.Length && square > 0; r++)
        {
            double missed = change[r] - step.Select((s, k) => s * jacobian[k][r]).Sum();
            for (int k = 0; k < step.Length; k++)
            {
                jacobian[k][r] += missed * step[k] / square;
            }
        }
    }

    private double[] Next(double[] at, double[] residuals, double[][] jacobian, double damping)
    {
        int n = at.Length;
        var a = new double[n, n + 1];
        for (int i = 0; i < n; i++)
        {
            for (int r = 0; r < residuals.Length; r++)
            {
                double weight = r >= rows.Count ? 1 : Math.Min(1, Linear / Math.Max(1e-12, Math.Abs(residuals[r])));
                for (int j = 0; j < n; j++)
                {
                    a[i, j] += weight * jacobian[i][r] * jacobian[j][r];
                }

                a[i, n] -= weight * jacobian[i][r] * residuals[r];
            }

            a[i, i] *= 1 + damping;
        }

        double[] step = Solve(a, n);
        return [.. at.Select((x, k) => Math.Min(Most[k], x + Math.Clamp(step[k], -0.5, 0.5)))];
    }

    private static double[] Solve(double[,] a, int n)
    {
        for (int i = 0; i < n; i++)
        {
            int pivot = Enumerable.Range(i, n - i).MaxBy(r => Math.Abs(a[r, i]));
            for (int j = 0; j <= n; j++)
            {
                (a[i, j], a[pivot, j]) = (a[pivot, j], a[i, j]);
            }

            for (int r = 0; r < n; r++)
            {
                double factor = r == i ? 0 : a[r, i] / a[i, i];
                for (int j = i; j <= n; j++)
                {
                    a[r, j] -= factor * a[i, j];
                }
            }
        }

        return [.. Enumerable.Range(0, n).Select(i => a[i, n] / a[i, i])];
    }
}
