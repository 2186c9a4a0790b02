using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/routing.cu and kernels/expert_load.cu.</summary>
internal sealed class Routing(KernelLibrary library)
{
    private const int Block = 256;
    private const int TokensPerBlock = Block / Warp;

    private readonly CudaFunction choose = library.Function("routing", "routing_choose");
    private readonly CudaFunction count = library.Function("routing", "routing_count");
    private readonly CudaFunction scan = library.Function("routing", "routing_scan");
    private readonly CudaFunction place = library.Function("routing", "routing_place");
    private readonly CudaFunction loadGroup = library.Function("expert_load", "load_group");
    private readonly CudaFunction loadAdd = library.Function("expert_load", "load_add");
    private readonly CudaFunction loadLoss = library.Function("expert_load", "load_loss");
    private readonly TypedFunction backward = library.Typed("routing", "routing_backward");

    /// <inheritdoc cref="IKernels.Routing"/>
    public void Forward(CudaStream stream, in RoutingArguments call)
    {
        var mixture = call.Mixture;
        int tokens = call.Logits.Rows, groupTokens = KernelWorkspace.RoutingGroupTokens(tokens);
        int groups = (int)Up(tokens, groupTokens);
        nuint counts = call.Workspace + (nuint)KernelAccesses.Floats(call.Rows);
        choose.Launch(
            stream,
            ByToken(mixture, tokens),
            At(call.Logits),
            At(call.Correction),
            At(call.Choices),
            At(call.Workspace),
            At(call.SharedWeights),
            tokens,
            mixture.Count,
            mixture.PerToken,
            mixture.GatesShared ? 1 : 0,
            ModeOf(mixture),
            (float)mixture.Scale,
            mixture.Groups,
            mixture.GroupsPerToken
        );
        count.Launch(stream, new(groups, Block), At(call.Choices), At(counts), tokens, mixture.Count, mixture.PerToken, groupTokens);
        scan.Launch(stream, new(1, Block), At(counts), At(call.ExpertRows), groups, mixture.Count);
        place.Launch(
            stream,
            new(groups, Block),
            At(call.Choices),
            At(call.Workspace),
            At(counts),
            At(call.Places),
            At(call.Tokens),
            At(call.Weights),
            tokens,
            mixture.Count,
            mixture.PerToken,
            groupTokens
        );
    }

    /// <inheritdoc cref="IKernels.ExpertLoad"/>
    public void AddLoad(CudaStream stream, in ExpertLoadArguments call)
    {
        var (tokens, columns) = (call.Logits.Rows, call.Logits.Columns);
        int groupTokens = KernelWorkspace.RoutingGroupTokens(tokens), groups = (int)Up(tokens, groupTokens);
        loadGroup.Launch(
            stream, new(groups, Block, TokensPerBlock * 2 * columns * sizeof(float)), At(call.Logits), At(call.Workspace), tokens,
            call.Experts, columns, groupTokens);
        loadAdd.Launch(
            stream, new(1, Block), At(call.Workspace), At(call.ExpertRows), At(call.Load), groups, call.Experts, call.Accumulate ? 1 : 0,
            call.Squares ? 1 : 0);
    }

    /// <inheritdoc cref="IKernels.ExpertLoadLoss"/>
    public void LoadLoss(CudaStream stream, DevicePointer step, in ExpertLoadLossArguments call) =>
        loadLoss.Launch(stream, new(1, Warp), At(call.Load), At(call.Loss), step, call.Experts, call.Factor, call.SquareFactor);

    /// <inheritdoc cref="IKernels.RoutingBackward"/>
    public void Backward(CudaStream stream, in RoutingBackwardArguments call)
    {
        var mixture = call.Mixture;
        backward[call.GradLogits.Type]
            .Launch(
                stream,
                ByToken(mixture, call.Logits.Rows),
                At(call.Logits),
                At(call.Choices),
                At(call.Places),
                At(call.GradWeights),
                At(call.GradSharedWeights),
                At(call.Load),
                call.LoadFactor,
                call.SquareFactor,
                At(call.GradLogits),
                call.Logits.Rows,
                mixture.Count,
                mixture.PerToken,
                mixture.GatesShared ? 1 : 0,
                ModeOf(mixture),
                (float)mixture.Scale
            );
    }

    /// <summary>A warp a token; each has room for two rows of logits.</summary>
    private static LaunchShape ByToken(ExpertMixture mixture, int tokens) =>
        new((int)Up(tokens, TokensPerBlock), Block, TokensPerBlock * 2 * mixture.RouterRows * sizeof(float));

    private static int ModeOf(ExpertMixture mixture) => (mixture.Score == RouterScore.Sigmoid ? 2 : 0) + (mixture.Normalised ? 1 : 0);
}
