using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// Muon's update (Jordan and others, 2024) of one whole matrix: m = mu m + (1 - mu) g, with Nesterov's momentum
/// u = (1 - mu) g + mu m, else u = m; X = the Newton-Schulz iteration of u / max(|u|, 1e-7), |u| being its Frobenius norm;
/// w = w (1 - rate decay) - rate s X, s being the adjustment. As torch.optim.Muon has it, but for one fault: with bf16 weights and no
/// Nesterov's momentum that normalises m itself.
/// </summary>
public readonly record struct MuonUpdate
{
    /// <summary>The matrix: weights, gradient, momentum (as first moment), master weights where there are. Any alignment.</summary>
    public required UpdateRange Range { get; init; }

    /// <summary>Its shape.</summary>
    public required MuonMatrix Matrix { get; init; }

    /// <summary>How state is stored; the iteration is in the type of its activations.</summary>
    public required Recipe Recipe { get; init; }

    /// <summary>A <see cref="MuonScratch"/>, on a multiple of 256 bytes.</summary>
    public required nuint Scratch { get; init; }

    /// <summary>Sums of squares (fp64) from which the gradients' global norm follows; 0 where it is not clipped.</summary>
    public required nuint Norms { get; init; }

    /// <summary>How many; 0 where it is not clipped.</summary>
    public required int NormCount { get; init; }

    /// <summary>Coefficients and steps.</summary>
    public required NewtonSchulz Iteration { get; init; }

    /// <summary>Which multiple of the learning rate the matrix moves by.</summary>
    public required MuonAdjustment Adjustment { get; init; }

    /// <summary>What the matrix's group makes of the step's learning rate and weight decay.</summary>
    public UpdateScale Scale { get; init; } = UpdateScale.One;

    /// <summary>Nothing but the defaults of what may be left out.</summary>
    public MuonUpdate() { }

    /// <summary>Calls its kernels: three of its own, and three products for each step of the iteration.</summary>
    /// <exception cref="ArgumentException">
    /// The range is not the matrix, the scratch starts elsewhere, or the iteration has a fault.
    /// </exception>
    public void Run(KernelStream stream)
    {
        Check();
        var places = new MuonScratch(Matrix, Recipe.Activations);
        var products = new NewtonSchulzProducts(Matrix, Iteration, Recipe.Activations, Scratch);
        nuint norm = Scratch + (nuint)places.SquaredNorm.Value;
        stream.Launch(
            new MuonMomentumArguments
            {
                Range = Range,
                Recipe = Recipe,
                Norms = Norms,
                NormCount = NormCount,
                Update = products.Of(0),
                SquaredNorm = norm,
                Workspace = Scratch + (nuint)places.Partials.Value,
            }
        );
        stream.Launch(new MuonNormalizeArguments { X = products.Of(0), SquaredNorm = norm });
        products.Run(stream);
        stream.Launch(
            new MuonApplyArguments
            {
                Range = Range,
                Recipe = Recipe,
                Direction = products.Of(Iteration.Steps),
                DirectionScale = (float)(Iteration.Growth * Matrix.RateOf(Adjustment)),
                Scale = Scale,
                Norms = Norms,
                NormCount = NormCount,
            }
        );
    }

    private void Check()
    {
        if (Range.Count != Matrix.Count)
        {
            throw new ArgumentException(
                $"a matrix of {Matrix.Rows} x {Matrix.Columns} is updated as a whole, not {Range.Count} elements of it"
            );
        }

        if (Scratch % (nuint)Bytes.Alignment != 0)
        {
            throw new ArgumentException($"the scratch of Muon starts on a multiple of {Bytes.Alignment} bytes, not at {Scratch}");
        }

        if (Iteration.Fault is { } fault)
        {
            throw new ArgumentException(fault);
        }
    }
}
