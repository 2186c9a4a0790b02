using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Dataflow.Cuda.Interop;

namespace Dataflow.Cuda.Tests;

/// <summary>
/// Structs and enums have the sizes, offsets and values of the C headers of CUDA 12 and 13 (cuda.h, cublasLt.h, nvml.h, x86-64 and
/// AArch64).
/// </summary>
public unsafe class LayoutTests
{
    [Fact]
    public void An_algorithm_is_64_bytes() => Assert.Equal(64, sizeof(MatmulAlgorithm)); // uint64_t data[8]

    [Fact]
    public void A_heuristic_result_is_laid_out_as_the_library_writes_it()
    {
        // algo[64], size_t workspaceSize, cublasStatus_t state, float wavesCount, int reserved[4]
        HeuristicResult result = default;
        Assert.Equal(96, sizeof(HeuristicResult));
        Assert.Equal(0, Offset(ref result, ref Unsafe.As<MatmulAlgorithm, byte>(ref result.Algorithm)));
        Assert.Equal(64, Offset(ref result, ref Unsafe.As<nuint, byte>(ref result.WorkspaceBytes)));
        Assert.Equal(72, Offset(ref result, ref Unsafe.As<BlasStatus, byte>(ref result.State)));
        Assert.Equal(76, Offset(ref result, ref Unsafe.As<float, byte>(ref result.Waves)));
        Assert.Equal(80, Offset(ref result, ref Unsafe.As<HeuristicResult.Reserved4, byte>(ref result.Reserved)));
    }

    [Fact]
    public void Nvml_memory_is_laid_out_and_versioned_as_its_second_version()
    {
        // unsigned version; 4 bytes of padding; four unsigned long long
        NvmlMemory memory = default;
        Assert.Equal(40, sizeof(NvmlMemory));
        Assert.Equal(8, Offset(ref memory, ref Unsafe.As<ulong, byte>(ref memory.Total)));
        Assert.Equal(16, Offset(ref memory, ref Unsafe.As<ulong, byte>(ref memory.Reserved)));
        Assert.Equal(24, Offset(ref memory, ref Unsafe.As<ulong, byte>(ref memory.Free)));
        Assert.Equal(32, Offset(ref memory, ref Unsafe.As<ulong, byte>(ref memory.Used)));
        Assert.Equal(NvmlMemory.CurrentVersion, (uint)sizeof(NvmlMemory) | (2u << 24));
    }

    [Fact]
    public void Nvml_processes_are_laid_out_as_an_array_of_24_bytes_each()
    {
        NvmlProcess process = default;
        Assert.Equal(24, sizeof(NvmlProcess));
        Assert.Equal(8, Offset(ref process, ref Unsafe.As<ulong, byte>(ref process.UsedBytes)));
        Assert.Equal(16, Offset(ref process, ref Unsafe.As<uint, byte>(ref process.GpuInstance)));
        Assert.Equal(20, Offset(ref process, ref Unsafe.As<uint, byte>(ref process.ComputeInstance)));
    }

    [Fact]
    public void Pointers_and_ids_are_as_wide_as_in_C()
    {
        Assert.Equal(8, sizeof(DevicePointer)); // CUdeviceptr
        Assert.Equal(16, sizeof(Guid16)); // CUuuid
        Assert.All(
            [
                typeof(DriverStatus),
                typeof(BlasStatus),
                typeof(NvrtcStatus),
                typeof(NvmlStatus),
                typeof(DeviceAttribute),
                typeof(BlasType),
                typeof(ComputeType),
                typeof(CudnnStatus),
                typeof(CudnnDescriptorType),
                typeof(CudnnAttributeName),
                typeof(CudnnAttributeType),
                typeof(CudnnDataType),
                typeof(CudnnPointwiseMode),
                typeof(CudnnReductionOperator),
            ],
            type => Assert.Equal(4, Marshal.SizeOf(Enum.GetUnderlyingType(type)))
        );
    }

    [Theory]
    [InlineData(DriverStatus.OutOfMemory, 2)]
    [InlineData(DriverStatus.NoDevice, 100)]
    [InlineData(DriverStatus.NoBinaryForGpu, 209)]
    [InlineData(DriverStatus.OperatingSystem, 304)]
    [InlineData(DriverStatus.NotReady, 600)]
    [InlineData(DriverStatus.IllegalAddress, 700)]
    [InlineData(DriverStatus.PrimaryContextActive, 708)]
    [InlineData(DriverStatus.SystemDriverMismatch, 803)]
    [InlineData(CaptureMode.ThreadLocal, 1)]
    [InlineData(DeviceAttribute.MultiprocessorCount, 16)]
    [InlineData(DeviceAttribute.ComputeCapabilityMajor, 75)]
    [InlineData(DeviceAttribute.MaxSharedMemoryPerBlockOptIn, 97)]
    [InlineData(FunctionAttribute.LocalBytes, 3)]
    [InlineData(FunctionAttribute.MaxDynamicSharedBytes, 8)]
    [InlineData(JitOption.ErrorLogBuffer, 5)]
    [InlineData(BlasStatus.NotSupported, 15)]
    [InlineData(BlasType.BFloat16, 14)]
    [InlineData(ComputeType.Float32, 68)]
    [InlineData(ComputeType.Float32Pedantic, 69)]
    [InlineData(MatmulPreferenceAttribute.ReductionSchemeMask, 3)]
    [InlineData(MatmulPreferenceAttribute.ImplementationMask, 12)]
    [InlineData(AlgorithmAttribute.ClusterShape, 8)]
    [InlineData(AlgorithmCapability.NumericalFlags, 15)]
    [InlineData(CudnnStatus.SublibraryLoadingFailed, 1008)]
    [InlineData(CudnnStatus.RuntimePrerequisiteMissing, 3008)]
    [InlineData(CudnnDescriptorType.KnobChoice, 7)]
    [InlineData(CudnnDescriptorType.VariantPack, 16)]
    [InlineData(CudnnDescriptorType.DeviceProperties, 38)]
    [InlineData(CudnnAttributeType.HeuristicsMode, 8)]
    [InlineData(CudnnAttributeType.KnobType, 9)]
    [InlineData(CudnnAttributeType.Char, 24)]
    [InlineData(CudnnAttributeName.EngineHeuristicsResults, 202)]
    [InlineData(CudnnAttributeName.EngineConfigurationKnobChoices, 302)]
    [InlineData(CudnnAttributeName.EngineConfigurationWorkspaceSize, 303)]
    [InlineData(CudnnAttributeName.ExecutionPlanWorkspaceSize, 402)]
    [InlineData(CudnnAttributeName.KnobChoiceValue, 601)]
    [InlineData(CudnnAttributeName.VariantPackWorkspace, 1003)]
    [InlineData(CudnnAttributeName.EngineGlobalIndex, 1301)]
    [InlineData(CudnnAttributeName.DevicePropertiesText, 2702)]
    [InlineData(NvmlStatus.InsufficientSize, 7)]
    [InlineData(NvrtcStatus.BuiltinOperationFailure, 7)]
    public void Values_are_those_of_the_headers(Enum value, int expected) => Assert.Equal(expected, Convert.ToInt32(value, null));

    [Fact]
    public void Masks_are_those_of_the_header()
    {
        Assert.Equal(0x20002uL, (ulong)(NumericalFlags.TensorCoresHalf | NumericalFlags.InputBFloat16));
        Assert.Equal(0x40000uL, (ulong)NumericalFlags.InputTf32);
        Assert.Equal(0x80200uL, (ulong)(NumericalFlags.InputFloat32 | NumericalFlags.AccumulatorFloat32));
        Assert.Equal(7u, (uint)(ReductionSchemes.InPlace | ReductionSchemes.ComputeType | ReductionSchemes.OutputType));
    }

    private static long Offset<T>(ref T whole, ref byte part) => Unsafe.ByteOffset(ref Unsafe.As<T, byte>(ref whole), ref part);
}
