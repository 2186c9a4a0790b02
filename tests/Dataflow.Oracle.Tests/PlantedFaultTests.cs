using Dataflow.Runtime;

namespace Dataflow.Oracle.Tests;

/// <summary>What the oracle is for: a kernel that is a little wrong is found, in the first case that runs it.</summary>
[Trait("Slow", "true")]
public sealed class PlantedFaultTests
{
    // Small enough to be quick, and every kernel below runs in one of them.
    private const int Seeds = 200;

    private static readonly Dictionary<string, Func<IKernels, KernelFault>> s_arguments = new()
    {
        ["Gemm without its addend"] = KernelFault.InArguments(nameof(IKernels.Gemm), call => Change(call, "addend", null)),
        ["RmsNormForward with the epsilon of another model"] = KernelFault.InArguments(
            nameof(IKernels.RmsNormForward),
            call => Change(call, "epsilon", 1e-4f)
        ),
        ["RmsNormBackward that overwrites"] = KernelFault.InArguments(
            nameof(IKernels.RmsNormBackward),
            call => Change(call, "accumulate", false)
        ),
        ["QkNormRopeForward with another theta"] = KernelFault.InArguments(
            nameof(IKernels.QkNormRopeForward),
            call => Change(call, "theta", (double)call["theta"]! * 1.1)
        ),
        ["QkNormRopeBackward with another theta"] = KernelFault.InArguments(
            nameof(IKernels.QkNormRopeBackward),
            call => Change(call, "theta", (double)call["theta"]! * 1.1)
        ),
        ["AttentionBackward that overwrites"] = KernelFault.InArguments(
            nameof(IKernels.AttentionBackward),
            call => Change(call, "accumulate", false)
        ),
        ["AdamW that does not clip"] = KernelFault.InArguments(
            nameof(IKernels.AdamW),
            call => Change(call, "normCount", 0) && Change(call, "norms", (nuint)0)
        ),
    };

    /// <summary>Of <see cref="s_arguments"/>.</summary>
    public static TheoryData<string> Arguments => [.. s_arguments.Keys];

    [Theory]
    [InlineData(nameof(IKernels.EmbeddingForward), "x")]
    [InlineData(nameof(IKernels.EmbeddingBackward), "dTable")]
    [InlineData(nameof(IKernels.RmsNormForward), "y")]
    [InlineData(nameof(IKernels.RmsNormBackward), "dx")]
    [InlineData(nameof(IKernels.Gemm), "c")]
    [InlineData(nameof(IKernels.QkNormRopeForward), "q")]
    [InlineData(nameof(IKernels.QkNormRopeForward), "kv")]
    [InlineData(nameof(IKernels.QkNormRopeBackward), "dqkv")]
    [InlineData(nameof(IKernels.AttentionForward), "o")]
    [InlineData(nameof(IKernels.AttentionBackward), "dq")]
    [InlineData(nameof(IKernels.AttentionBackward), "dkv")]
    [InlineData(nameof(IKernels.SwiGluForward), "ffn")]
    [InlineData(nameof(IKernels.SwiGluBackward), "gateUp")]
    [InlineData(nameof(IKernels.CrossEntropy), "dlogits")]
    [InlineData(nameof(IKernels.EmbeddingBlockForward), "x")]
    [InlineData(nameof(IKernels.CrossEntropyGradient), "dlogits")]
    public void An_output_that_is_a_thousandth_too_large_is_found(string kernel, string output) =>
        AssertFound(KernelFault.InResult(kernel, output));

    [Theory]
    [MemberData(nameof(Arguments))]
    public void An_argument_that_is_not_what_was_passed_is_found(string fault) => AssertFound(s_arguments[fault]);

    [Fact]
    public void Without_a_fault_nothing_is_found()
    {
        for (int seed = 0; seed < 4; seed++)
        {
            var agreement = new Agreement();
            OracleComparison.CompareFp32(new OracleCase(seed), (s, w) => new FaultyCpuDevice(s, w, kernels => kernels), agreement);
            Assert.Empty(agreement.Faults);
        }
    }

    private static void AssertFound(Func<IKernels, KernelFault> plant)
    {
        for (int seed = 0; seed < Seeds; seed++)
        {
            var planted = new List<KernelFault>();
            var agreement = new Agreement();
            OracleComparison.CompareFp32(
                new OracleCase(seed),
                (schedule, workload) => new FaultyCpuDevice(schedule, workload, kernels =>
                {
                    planted.Add(plant(kernels));
                    return planted[^1].Kernels;
                }),
                agreement
            );
            if (planted.Any(p => p.Planted > 0))
            {
                Assert.NotEmpty(agreement.Faults);
                return;
            }
        }

        Assert.Fail("no case runs this kernel");
    }

    private static bool Change(KernelFault.Call call, string name, object? to)
    {
        bool changes = !Equals(call[name], to);
        call[name] = to;
        return changes;
    }
}
