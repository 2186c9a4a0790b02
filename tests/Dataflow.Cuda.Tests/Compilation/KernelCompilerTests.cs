using System.Buffers.Binary;
using System.Text;
using Dataflow.Model;

namespace Dataflow.Cuda.Tests;

/// <summary>NVRTC compiles from memory, for every target, and tells what kernels take.</summary>
public class KernelCompilerTests
{
    private const string Header = "typedef unsigned int uint32;\n__device__ inline uint32 twice(uint32 x) { return x + x; }\n";

    private const string Double = """
        #include "twice.cuh"
        extern "C" __global__ void double_all(uint32* all) { __shared__ uint32 held[64]; held[threadIdx.x] = all[threadIdx.x];
        __syncthreads(); all[threadIdx.x] = twice(held[63 - threadIdx.x]); }
        """;

    // 255 registers cannot hold 400 values that all live at once.
    private const string Spilling = """
        extern "C" __global__ void spilling(float* a, int n)
        {
            float v[400];
        #pragma unroll
            for (int i = 0; i < 400; i++) v[i] = a[i * n];
            for (int j = 0; j < n; j++)
            {
        #pragma unroll
                for (int i = 0; i < 400; i++) v[i] = v[i] * v[(i * 7 + 3) % 400] + a[j];
            }
        #pragma unroll
            for (int i = 0; i < 400; i++) a[i * n] = v[i];
        }
        """;

    public KernelCompilerTests() => Fetched.UseNvrtc();

    [Fact]
    public void It_is_of_CUDA_11_8_or_newer() =>
        Assert.True(new Version(11, 8) <= new Version(KernelCompiler.Version), KernelCompiler.Version);

    [Fact]
    public void It_knows_the_GPUs_that_ship() =>
        Assert.Empty(KernelTarget.Shipped.Select(t => t.Capability).Except(KernelCompiler.Supported()));

    [Theory]
    [InlineData("sm_80")]
    [InlineData("sm_86")]
    [InlineData("sm_89")]
    [InlineData("sm_90a")]
    public void Machine_code_is_an_ELF_file_for_CUDA_that_names_the_kernel(string target)
    {
        var compiled = KernelCompiler.Compile(Source("double", Double), KernelTarget.Parse(target));
        Assert.Null(compiled.Fault);
        Assert.Equal("", compiled.Warnings);
        Assert.Equal([0x7f, (byte)'E', (byte)'L', (byte)'F'], compiled.Image[..4]);
        Assert.Equal(190, BinaryPrimitives.ReadUInt16LittleEndian(compiled.Image.AsSpan(18))); // EM_CUDA
        Assert.Contains("double_all", Encoding.Latin1.GetString(compiled.Image), StringComparison.Ordinal);
        var entry = Assert.Single(compiled.EntryPoints);
        Assert.Equal(("double_all", 256, 0, false), (entry.Name, entry.SharedBytes, entry.StackBytes, entry.Spills));
        Assert.InRange(entry.Registers, 1, 32);
    }

    [Fact]
    public void Text_names_its_target_and_ends_without_a_zero()
    {
        var compiled = KernelCompiler.Compile(Source("double", Double), KernelTarget.Parse("compute_80"));
        string text = Encoding.UTF8.GetString(compiled.Image);
        Assert.Contains(".target sm_80", text, StringComparison.Ordinal);
        Assert.Contains(".entry double_all", text, StringComparison.Ordinal);
        Assert.DoesNotContain('\0', text);
    }

    [Trait("Slow", "true")]
    [Fact]
    public void A_spill_is_seen_and_named_where_the_kernel_is_a_hot_one()
    {
        var target = KernelTarget.Parse("sm_80");
        var compiled = KernelCompiler.Compile(Source("rms_norm", Spilling), target);
        var entry = Assert.Single(compiled.EntryPoints);
        Assert.True(entry.Spills && entry.SpillStoreBytes > 0 && entry.SpillLoadBytes > 0, entry.ToString());
        KernelBuildResult Result(string kernel) =>
            new(kernel, target, new KernelImageFacts("", "", compiled.EntryPoints), null, "", WasKept: false);
        Assert.Contains("spilling for sm_80: ", Assert.Single(HotKernels.Faults([Result("rms_norm")])), StringComparison.Ordinal);
        Assert.Empty(HotKernels.Faults([Result("zero")]));
    }

    [Fact]
    public void A_fault_is_what_the_compiler_says_with_file_and_line()
    {
        var compiled = KernelCompiler.Compile(Source("faulty", "\nint broken = ;\n"), KernelTarget.Parse("sm_80"));
        Assert.Contains("faulty.cu(2): error", compiled.Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_target_that_the_compiler_does_not_know_is_refused_in_words()
    {
        var refused = Assert.Throws<CudaException>(() =>
            KernelCompiler.Compile(Source("double", Double), new KernelTarget(new ComputeCapability(99, 9), KernelForm.MachineCode))
        );
        Assert.Contains("--gpu-architecture=sm_999", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_log_of_functions_that_were_not_inlined_counts_for_their_kernel()
    {
        var entries = EntryPoint.ReadLog("""
            ptxas info    : 0 bytes gmem
            ptxas info    : Compiling entry function 'second' for 'sm_90a'
            ptxas info    : Function properties for second
            ptxas         .     16 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
            ptxas info    : Used 255 registers, used 1 barriers, 16 bytes cumulative stack size, 2048 bytes smem, 400 bytes cmem[0]
            ptxas info    : Function properties for called
            ptxas         .     8 bytes stack frame, 12 bytes spill stores, 20 bytes spill loads
            ptxas info    : Compiling entry function 'first' for 'sm_90a'
            ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
            ptxas info    : Used 8 registers, 360 bytes cmem[0]
            """);
        Assert.Equal([new EntryPoint("first", 8, 0, 0, 0, 0), new EntryPoint("second", 255, 16, 12, 20, 2048)], entries);
    }

    private static KernelSource Source(string name, string text) =>
        KernelSources.From(name, text, new Dictionary<string, string> { ["twice.cuh"] = Header });
}
