using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/routing.cu.</summary>
internal sealed class Routing(KernelLibrary library)
{
    private const int Block = 256;
    private const int TokensPerBlock = Block / Warp;

    private readonly CudaFunction choose = library.Function("routing", "routing_choose");
    private readonly CudaFunction count = library.Function("routing", "routing_count");
    private readonly CudaFunction scan = library.Function("routing", "routing_scan");
    private readonly CudaFunction place = library.Function("routing", "routing_place");
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
            At(call.Choices),
            At(call.Workspace),
            At(call.SharedWeights),
            tokens,
            mixture.Count,
            mixture.PerToken,
            mixture.GatesShared ? 1 : 0,
            ModeOf(mixture),
            (float)mixture.Scale
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
