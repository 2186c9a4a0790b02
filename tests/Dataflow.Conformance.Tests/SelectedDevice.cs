using System.Collections.Immutable;
using Dataflow.Cpu.Tests;
using Dataflow.Cuda;
using Dataflow.Cuda.Emulated.Tests;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Conformance.Tests;

/// <summary>
/// The device that the environment variable DATAFLOW_DEVICE names: cuda, the first GPU, if it names none; cuda-emulated; cpu. The first
/// that is opened says on the console what it is. Where DATAFLOW_CUDA_GRAPHS is on, a GPU's steps are graphs from the second on.
/// </summary>
public sealed class SelectedDevice : DeviceUnderTest
{
    private static readonly string s_kind = Environment.GetEnvironmentVariable("DATAFLOW_DEVICE") is { Length: > 0 } kind ? kind : "cuda";
    private static readonly bool s_graphs = Environment.GetEnvironmentVariable("DATAFLOW_CUDA_GRAPHS") == "on";
    private static readonly CpuDevices s_cpu = new();
    private static readonly Lazy<CudaGpu> s_gpu = new(() => GpuAccess.First(s_kind == "cuda-emulated"));
    private static int s_said;

    public override bool IsSlow => s_kind == "cuda-emulated";

    public override int SegmentRows(Recipe recipe) =>
        s_kind == "cpu" ? 1
        : recipe.Activations == DType.BFloat16 ? 128
        : 64;

    public override string? Lack { get; } = FindLack();

    public override CudnnTarget? Cudnn { get; } = FindCudnn();

    public override IDevice Open(Schedule schedule, Workload workload, int order)
    {
        var device = s_kind == "cpu" ? s_cpu.Open(schedule, workload, order) : OnGpu(schedule, workload, order);
        Say(device.Name);
        return device;
    }

    /// <summary>The device's kernels by themselves.</summary>
    internal static KernelMemory OpenKernels(ImmutableArray<KernelOperand> operands, int order)
    {
        if (s_kind == "cpu")
        {
            return new CpuKernelsUnderTest().Open(operands, order);
        }

        var gpu = s_gpu.Value;
        if (CudaEmulation.IsOn)
        {
            CudaEmulation.Seed((ulong)order);
        }

        return new CudaKernelMemory(CudaContext.Open(gpu), GpuAccess.KernelsFor(gpu), operands);
    }

    private static CudaDevice OnGpu(Schedule schedule, Workload workload, int order)
    {
        var gpu = s_gpu.Value;
        if (CudaEmulation.IsOn)
        {
            CudaEmulation.Seed((ulong)order);
        }

        var settings = new CudaDeviceSettings { Graphs = s_graphs };
        return new CudaDevice(schedule, workload, CudaContext.Open(gpu), GpuAccess.KernelsFor(gpu), settings);
    }

    private static string? FindLack()
    {
        if (s_kind is not ("cuda" or "cuda-emulated" or "cpu"))
        {
            throw new UserErrorException($"DATAFLOW_DEVICE is '{s_kind}', which is no device; set it to cuda, cuda-emulated or cpu");
        }

        try
        {
            _ = s_kind == "cpu" ? null : s_gpu.Value;
            return null;
        }
        catch (MachineException e)
        {
            Say($"none, all is skipped: {e.Message}");
            return e.Message;
        }
    }

    // The driver first: its choice is that of all libraries.
    private static CudnnTarget? FindCudnn() => FindLack() is null && s_kind != "cpu"
        && s_gpu.Value.Capability is var gpu && CudaLibraries.Lack(CudaLibrary.Cudnn) is null
            ? new CudnnTarget(CudnnHandle.LibraryVersion, gpu)
            : null;

    private static void Say(string device)
    {
        if (Interlocked.Exchange(ref s_said, 1) == 0)
        {
            Console.WriteLine($"device: {device}");
        }
    }
}
