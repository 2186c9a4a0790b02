using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/muon.cu.</summary>
internal sealed class Muon(KernelLibrary library)
{
    private const int Octet = 8; // elements of a thread

    private readonly TypedFunction momentum = library.Typed("muon", "muon_momentum");
    private readonly CudaFunction stochasticMomentum = library.Function("muon", "muon_momentum_bf16_sr");
    private readonly CudaFunction masterMomentum = library.Function("muon", "muon_momentum_bf16_master");
    private readonly CudaFunction total = library.Function("squared_sum", "squared_sum_total");
    private readonly TypedFunction normalize = library.Typed("muon", "muon_normalize");
    private readonly TypedFunction apply = library.Typed("muon", "muon_apply");
    private readonly CudaFunction stochasticApply = library.Function("muon", "muon_apply_bf16_sr");
    private readonly CudaFunction masterApply = library.Function("muon", "muon_apply_bf16_master");

    /// <inheritdoc cref="IKernels.MuonMomentum"/>
    public void Momentum(CudaStream stream, DevicePointer step, in MuonMomentumArguments call)
    {
        var (at, recipe) = (call.Range, call.Recipe);
        int tiles = Tiles(at, recipe);
        var (g, m, u, partials, norms) = (At(at.Gradient), At(at.Moments), At(call.Update), At(call.Workspace), At(call.Norms));
        if (recipe.RoundsStochastically)
        {
            stochasticMomentum.Launch(
                stream, new(tiles, 256), g, m, u, partials, norms, step, at.Count, call.NormCount, at.Object, at.FirstElement);
        }
        else
        {
            var function = recipe.Master is null ? momentum[recipe.Parameters] : masterMomentum;
            function.Launch(stream, new(tiles, 256), g, m, u, partials, norms, step, at.Count, call.NormCount);
        }

        total.Launch(stream, new(1, 256), partials, At(call.SquaredNorm), tiles);
    }

    /// <inheritdoc cref="IKernels.MuonNormalize"/>
    public void Normalize(CudaStream stream, in MuonNormalizeArguments call)
    {
        long count = (long)call.X.Rows * call.X.Columns;
        normalize[call.X.Type]
            .Launch(stream, new(KernelWorkspace.MuonTiles(count, 0), 256), At(call.X), At(call.SquaredNorm), count);
    }

    /// <inheritdoc cref="IKernels.MuonApply"/>
    public void Apply(CudaStream stream, DevicePointer step, in MuonApplyArguments call)
    {
        var (at, recipe) = (call.Range, call.Recipe);
        var (w, x, shape) = (At(at.Weights), At(call.Direction), new LaunchShape(Tiles(at, recipe), 256));
        var (scale, rate, decay, own) = (call.DirectionScale, call.Scale.Rate, call.Scale.Decay, call.Scale.OwnDecay);
        var (norms, normCount) = (At(call.Norms), call.NormCount);
        if (recipe.Master is not null)
        {
            masterApply.Launch(stream, shape, At(at.Master), x, w, step, scale, rate, decay, own, norms, normCount, at.Count);
        }
        else if (recipe.RoundsStochastically)
        {
            stochasticApply.Launch(
                stream, shape, w, x, step, scale, rate, decay, own, norms, normCount, at.Count, at.Object, at.FirstElement);
        }
        else
        {
            apply[recipe.Parameters].Launch(stream, shape, w, x, step, scale, rate, decay, own, norms, normCount, at.Count);
        }
    }

    /// <summary>Blocks: where random bits are drawn, eight elements that share them are one thread's.</summary>
    private static int Tiles(in UpdateRange at, Recipe recipe) =>
        KernelWorkspace.MuonTiles(at.Count, recipe.RoundsStochastically ? (int)(at.FirstElement % Octet) : 0);
}
