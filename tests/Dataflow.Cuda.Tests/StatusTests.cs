using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda.Tests;

/// <summary>Failures become sentences; success costs nothing.</summary>
public class StatusTests
{
    [Fact]
    public void Without_a_driver_the_first_call_says_what_to_install()
    {
        Assert.SkipWhen(CudaLibraries.Lack(CudaLibrary.Driver) is null, "this machine has a driver");
        var missing = Assert.Throws<MissingLibraryException>(() => CudaGpu.All());
        Assert.Equal(CudaLibrary.Driver, missing.Library);
        Assert.StartsWith("there is no NVIDIA driver (libcuda.so.1): ", missing.Message, StringComparison.Ordinal);
        Assert.IsType<MachineException>(missing, exactMatch: false);
    }

    [Fact]
    public void Without_NVML_likewise()
    {
        Assert.SkipWhen(CudaLibraries.Lack(CudaLibrary.Nvml) is null, "this machine has NVML");
        var gpu = new CudaGpu
        {
            Ordinal = 0,
            Name = "none",
            Capability = new ComputeCapability(9, 0),
            Memory = Bytes.Zero,
            Multiprocessors = 0,
            ThreadsPerMultiprocessor = 0,
            SharedMemoryPerBlock = Bytes.Zero,
            L2Cache = Bytes.Zero,
            CopyEngines = 0,
            PciBusId = "0000:00:00.0",
            Uuid = "GPU-0",
        };
        Assert.Equal(CudaLibrary.Nvml, Assert.Throws<MissingLibraryException>(() => GpuMonitor.Open(gpu)).Library);
        Assert.Null(GpuUsers.Describe(gpu));
    }

    [Fact]
    public void A_checked_success_allocates_nothing()
    {
        for (int i = 0; i < 2; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            DriverStatus.Success.Check($"copying {new Bytes(i)} bytes to {"there"}");
            BlasStatus.Success.Check($"multiplying {i} by {i}");
            Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        }
    }

    [Fact]
    public void NVRTCs_own_words_are_in_the_message()
    {
        Fetched.UseNvrtc();
        var refused = Assert.Throws<CudaException>(() => NvrtcStatus.InvalidOption.Check("compiling with --nonsense"));
        Assert.Equal("NVRTC_ERROR_INVALID_OPTION", refused.Status);
        Assert.Equal("compiling with --nonsense failed: NVRTC answers NVRTC_ERROR_INVALID_OPTION (5)", refused.Message);
    }

    [Fact]
    public void An_emulation_that_is_not_there_is_refused_with_what_to_do()
    {
        var refused = Assert.Throws<MachineException>(() => CudaLibraries.UseEmulation("/nowhere/libdataflow-emulation.so"));
        Assert.Contains("/nowhere/libdataflow-emulation.so does not exist: `make emulation`", refused.Message, StringComparison.Ordinal);
        Assert.Null(CudaLibraries.Emulation);
    }

    [Fact]
    public unsafe void A_kernels_argument_is_read_in_any_width_of_integer()
    {
        KernelArgument[] all = [-5, -5L, 7u, 1.5f, 2.5, new DevicePointer(0x7f00_0000_1000)];
        fixed (KernelArgument* first = all)
        {
            Assert.Equal(-5, *(int*)first);
            Assert.Equal(-5L, *(long*)first);
            Assert.Equal(-5, *(int*)(first + 1));
            Assert.Equal(7L, *(long*)(first + 2));
            Assert.Equal(1.5f, *(float*)(first + 3));
            Assert.Equal(2.5, *(double*)(first + 4));
            Assert.Equal(0x7f00_0000_1000uL, *(ulong*)(first + 5));
        }
    }
}
