using Dataflow.Model;
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
        ["Gemm without its addend"] = KernelFault.InArguments(nameof(IKernels.Gemm), call => Change(call, "Addend", null)),
        ["RmsNormForward with the epsilon of another model"] = KernelFault.InArguments(
            nameof(IKernels.RmsNormForward),
            call => Change(call, "Epsilon", 1e-4f)
        ),
        ["RmsNormBackward that overwrites"] = KernelFault.InArguments(
            nameof(IKernels.RmsNormBackward),
            call => Change(call, "Accumulate", false)
        ),
        ["QkNormRopeForward with another theta"] = KernelFault.InArguments(
            nameof(IKernels.QkNormRopeForward),
            AnotherTheta
        ),
        ["QkNormRopeBackward with another theta"] = KernelFault.InArguments(
            nameof(IKernels.QkNormRopeBackward),
            AnotherTheta
        ),
        ["AttentionBackward that overwrites"] = KernelFault.InArguments(
            nameof(IKernels.AttentionBackward),
            call => Change(call, "Accumulate", false)
        ),
        ["CrossEntropy without weights"] = KernelFault.InArguments(
            nameof(IKernels.CrossEntropy),
            call => Change(call, "Weights", (nuint)0)
        ),
        ["CrossEntropyLoss without weights"] = KernelFault.InArguments(
            nameof(IKernels.CrossEntropyLoss),
            call => Change(call, "Weights", (nuint)0)
        ),
        ["CrossEntropyGradient without weights"] = KernelFault.InArguments(
            nameof(IKernels.CrossEntropyGradient),
            call => Change(call, "Weights", (nuint)0)
        ),
        ["AdamW that does not clip"] = KernelFault.InArguments(
            nameof(IKernels.Update),
            call => Change(call, "NormCount", 0) && Change(call, "Norms", (nuint)0)
        ),
    };

    /// <summary>Of <see cref="s_arguments"/>.</summary>
    public static TheoryData<string> Arguments => [.. s_arguments.Keys];

    [Theory]
    [InlineData(nameof(IKernels.EmbeddingForward), "X")]
    [InlineData(nameof(IKernels.EmbeddingBackward), "GradTable")]
    [InlineData(nameof(IKernels.RmsNormForward), "Y")]
    [InlineData(nameof(IKernels.RmsNormBackward), "GradX")]
    [InlineData(nameof(IKernels.Gemm), "C")]
    [InlineData(nameof(IKernels.QkNormRopeForward), "Query")]
    [InlineData(nameof(IKernels.QkNormRopeForward), "KeyValue")]
    [InlineData(nameof(IKernels.QkNormRopeBackward), "GradQkv")]
    [InlineData(nameof(IKernels.AttentionForward), "Output")]
    [InlineData(nameof(IKernels.AttentionBackward), "GradQuery")]
    [InlineData(nameof(IKernels.AttentionBackward), "GradKeyValue")]
    [InlineData(nameof(IKernels.GatedActivationForward), "Ffn")]
    [InlineData(nameof(IKernels.GatedActivationBackward), "GateUp")]
    [InlineData(nameof(IKernels.CrossEntropy), "GradLogits")]
    [InlineData(nameof(IKernels.EmbeddingBlockForward), "X")]
    [InlineData(nameof(IKernels.CrossEntropyGradient), "GradLogits")]
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

    private static bool AnotherTheta(KernelFault.Call call)
    {
        var right = (RotaryTable)call["Rotary"]!;
        int headDim = 2 * right.InverseFrequencies.Length;
        return Change(call, "Rotary", RotaryTable.Plain(1.1 * Math.Pow(right.InverseFrequencies[^1], -headDim / (headDim - 2.0)), headDim));
    }

    private static bool Change(KernelFault.Call call, string name, object? to)
    {
        bool changes = !Equals(call[name], to);
        call[name] = to;
        return changes;
    }
}
