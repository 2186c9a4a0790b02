using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Simulation;

/// <summary>What an update by Muon runs: a function of the matrix, whichever device it is.</summary>
public static class MuonWork
{
    /// <summary>
    /// The kernels of one matrix. Its products have the FLOPs of <see cref="NewtonSchulz.Flops"/>, the rest passes over its operands once.
    /// </summary>
    public static ImmutableArray<KernelRun> Of(MuonMatrix matrix, Recipe recipe, NewtonSchulz iteration)
    {
        double elements = matrix.Count, r = matrix.Shorter, c = matrix.Longer, size = recipe.Activations.Size();
        double weights = recipe.Master is { } master ? (2 * master.Size()) + recipe.Parameters.Size() : 2 * recipe.Parameters.Size();
        double momentum = recipe.Gradients.Size() + (2 * recipe.Moments.Size()) + size;
        return
        [
            new(Kernel.MuonMomentum, KernelWork.Memory(elements * momentum), 1),
            new(Kernel.MuonNormalize, KernelWork.Memory(elements * 2 * size), 1),
            // X X^T; the polynomial, to which its operand is added; its product with X, to which X is added.
            new(Kernel.GemmForward, KernelWork.Gemm(r, r, c, size * (elements + (r * r))), iteration.Steps),
            new(Kernel.GemmForward, KernelWork.Gemm(r, r, r, size * 2 * r * r), iteration.Steps),
            new(Kernel.GemmInputGradient, KernelWork.Gemm(r, c, r, size * ((2 * elements) + (r * r))), iteration.Steps),
            new(Kernel.MuonApply, KernelWork.Memory(elements * (weights + size)), 1),
        ];
    }
}
