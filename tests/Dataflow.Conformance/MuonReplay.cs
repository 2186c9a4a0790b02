using Dataflow.Model;

namespace Dataflow.Conformance;

/// <summary>Muon of one matrix in float64, straight from its definition: no product is left out, no factor is moved.</summary>
internal sealed class MuonReplay(MuonMatrix matrix, NewtonSchulz iteration)
{
    /// <summary>The matrix as it lies in memory.</summary>
    public double[] Weights { get; private set; } = new double[matrix.Count];

    /// <summary>Likewise, the momentum.</summary>
    public double[] Momentum { get; private set; } = new double[matrix.Count];

    /// <summary>What the last step subtracted from the weights, decay aside.</summary>
    public double[] Moved { get; private set; } = [];

    /// <summary>Goes on from other values.</summary>
    public void Set(float[] weights, float[] momentum) =>
        (Weights, Momentum) = ([.. weights.Select(w => (double)w)], [.. momentum.Select(m => (double)m)]);

    /// <summary>A step.</summary>
    /// <param name="gradient">Clipped.</param>
    /// <param name="settings">Momentum, and whether it is Nesterov's.</param>
    /// <param name="rate">Learning rate.</param>
    /// <param name="decay">Weight decay.</param>
    /// <param name="adjustment">Of the rate.</param>
    public void Step(double[] gradient, in OptimizerSettings settings, double rate, double decay, MuonAdjustment adjustment)
    {
        double mu = settings.Momentum;
        bool nesterov = settings.Nesterov != 0;
        Momentum = [.. Momentum.Zip(gradient, (m, g) => (mu * m) + ((1 - mu) * g))];
        double[] update = [.. Momentum.Zip(gradient, (m, g) => nesterov ? ((1 - mu) * g) + (mu * m) : m)];
        double[] direction = Orthogonal(update);
        double sides = adjustment switch
        {
            MuonAdjustment.Original => Math.Sqrt(Math.Max(1, matrix.Rows / (double)matrix.Columns)),
            _ => 0.2 * Math.Sqrt(Math.Max(matrix.Rows, matrix.Columns)),
        };
        double reach = rate * sides;
        Moved = [.. direction.Select(x => reach * x)];
        Weights = [.. Weights.Zip(Moved, (w, d) => (w * (1 - (rate * decay))) - d)];
    }

    /// <summary>The iteration of a matrix as it lies in memory.</summary>
    private double[] Orthogonal(double[] update)
    {
        double norm = Math.Max(Math.Sqrt(update.Sum(u => u * u)), 1e-7);
        Rows x = new([.. update.Select(u => u / norm)], matrix.MemoryColumns);
        x = matrix.IsTransposed ? x.Transposed() : x;
        bool tall = matrix.Rows > matrix.Columns;
        x = tall ? x.Transposed() : x;
        for (int step = 0; step < iteration.Steps; step++)
        {
            Rows a = x * x.Transposed();
            x = Sum(iteration.A, x, 1, Sum(iteration.B, a, iteration.C, a * a) * x);
        }

        x = tall ? x.Transposed() : x;
        x = matrix.IsTransposed ? x.Transposed() : x;
        return x.Values;
    }

    private static Rows Sum(double s, Rows a, double t, Rows b) => new([.. a.Values.Zip(b.Values, (x, y) => (s * x) + (t * y))], a.Columns);

    /// <summary>A row-major matrix.</summary>
    private readonly record struct Rows(double[] Values, int Columns)
    {
        public int Count => Values.Length / Columns;

        public Rows Transposed()
        {
            double[] made = new double[Values.Length];
            for (int i = 0; i < made.Length; i++)
            {
                made[(i % Columns * Count) + (i / Columns)] = Values[i];
            }

            return new Rows(made, Count);
        }

        public static Rows operator *(Rows a, Rows b)
        {
            double[] made = new double[a.Count * b.Columns];
            for (int i = 0; i < a.Count; i++)
            {
                var row = made.AsSpan(i * b.Columns, b.Columns);
                for (int k = 0; k < a.Columns; k++)
                {
                    double factor = a.Values[(i * a.Columns) + k];
                    var other = b.Values.AsSpan(k * b.Columns, row.Length);
                    for (int j = 0; j < row.Length; j++)
                    {
                        row[j] += factor * other[j];
                    }
                }
            }

            return new Rows(made, b.Columns);
        }
    }
}
