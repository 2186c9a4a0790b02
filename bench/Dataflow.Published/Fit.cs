using Dataflow.Model;
using Dataflow.Planning.Reference;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Published;

/// <summary>
/// The efficiency constants of a machine, from the step times of the rows that were set aside for it: Levenberg-Marquardt on the logarithms
/// of predicted over measured time, by logarithms of the constants, with differences above 5% counting linearly so that no few rows
/// decide. Constants that a machine's rows say nothing about stay where they are.
/// </summary>
internal sealed class Fit
{
    private const double Linear = 0.05;
    private const double Step = 0.01;

    // A link may be a little faster than where it was measured, but not faster than its kind; a chip may clock higher than its peak says.
    private static readonly double[] Most = [.. new[] { 1.3, 1.3, 1.3, 2, 1.1, 1.1 }.Select(x => Math.Log(x))];

    // How strongly each constant is held where it starts, by square of its logarithm: links cannot be much faster than they were measured.
    private static readonly double[] Ridge = [1e-3, 1e-3, 1e-3, 1e-3, 0.05, 0.05];

    private readonly HardwareProfile profile;
    private readonly IReadOnlyList<(ReferencePlan Plan, Schedule Schedule, double Seconds)> rows;
    private readonly double[] prior;

    private Fit(HardwareProfile profile, IEnumerable<(ReferencePlan Plan, double Seconds)> rows)
    {
        this.profile = profile;
        this.rows = [.. rows.AsParallel().AsOrdered().Select(r => (r.Plan, ReferenceLowering.Lower(r.Plan), r.Seconds))];
        prior = [.. EfficiencyConstants.Default.Values.Select(x => Math.Log(x))];
    }

    /// <summary>Fits all six.</summary>
    public static EfficiencyConstants Of(HardwareProfile profile, IEnumerable<(ReferencePlan Plan, double Seconds)> rows, TextWriter log)
    {
        var fit = new Fit(profile, rows);
        double[] at = [.. fit.prior];
        double[] residuals = fit.Residuals(at);
        double damping = 1e-2, cost = Cost(residuals) + fit.Penalty(at);
        for (int iteration = 0; iteration < 12 && damping < 1e3; iteration++)
        {
            var jacobian = fit.Jacobian(at, residuals);
            bool better = false;
            while (!better && damping < 1e3)
            {
                double[] next = fit.Next(at, residuals, jacobian, damping);
                double[] found = fit.Residuals(next);
                double nextCost = Cost(found) + fit.Penalty(next);
                better = nextCost < cost;
                if (!better)
                {
                    damping *= 4;
                    continue;
                }

                bool done = cost - nextCost < 1e-4 * cost;
                (at, residuals, cost, damping) = (next, found, nextCost, damping / 4);
                log.WriteLine($"  {iteration}: rms {Math.Sqrt(residuals.Average(r => r * r)):0.00%} at {string.Join(" ", at.Select((double x) => Math.Exp(x).ToString("F3")))}");
                if (done)
                {
                    return Constants(at);
                }
            }
        }

        return Constants(at);
    }

    private static EfficiencyConstants Constants(double[] at) => EfficiencyConstants.Of([.. at.Select(x => Math.Exp(x))]);

    private static double Cost(double[] residuals) => residuals.Sum(r => Math.Abs(r) < Linear ? r * r / 2 : Linear * (Math.Abs(r) - (Linear / 2)));

    private double Penalty(double[] at) => at.Select((a, k) => Ridge[k] * (a - prior[k]) * (a - prior[k])).Sum() / 2;

    private double[] Residuals(double[] at)
    {
        var machine = new CostModel(profile, DType.BFloat16, Constants(at));
        return [.. rows.AsParallel().AsOrdered().Select(r => Math.Log(ReferencePrediction.Of(r.Plan, r.Schedule, machine).StepSeconds / r.Seconds))];
    }

    private double[][] Jacobian(double[] at, double[] residuals) => [.. at.Select((_, k) =>
    {
        double[] moved = [.. at];
        moved[k] += Step;
        return (double[])[.. Residuals(moved).Zip(residuals, (a, b) => (a - b) / Step)];
    })];

    private double[] Next(double[] at, double[] residuals, double[][] jacobian, double damping)
    {
        int n = at.Length;
        var a = new double[n, n + 1];
        for (int i = 0; i < n; i++)
        {
            for (int r = 0; r < residuals.Length; r++)
            {
                double weight = Math.Min(1, Linear / Math.Max(1e-12, Math.Abs(residuals[r])));
                for (int j = 0; j < n; j++)
                {
                    a[i, j] += weight * jacobian[i][r] * jacobian[j][r];
                }

                a[i, n] -= weight * jacobian[i][r] * residuals[r];
            }

            a[i, i] = (a[i, i] * (1 + damping)) + Ridge[i];
            a[i, n] -= Ridge[i] * (at[i] - prior[i]);
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
