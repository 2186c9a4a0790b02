using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>An entry point of a module, which it keeps alive.</summary>
public sealed unsafe class CudaFunction
{
    // 4,096 bytes of arguments are CUDA's limit; no kernel here comes near it.
    private const int MostArguments = 48;

    private readonly CudaModule module;
    private readonly nint function;

    internal CudaFunction(CudaModule module, string name, nint function) => (this.module, Name, this.function) = (module, name, function);

    /// <summary>As the kernel's source names it.</summary>
    public string Name { get; }

    /// <summary>Registers of a thread.</summary>
    public int Registers => Ask(FunctionAttribute.Registers);

    /// <summary>Local memory of a thread: what did not fit into registers.</summary>
    public Bytes LocalMemory => new(Ask(FunctionAttribute.LocalBytes));

    /// <summary>Shared memory of a block beside what a launch adds.</summary>
    public Bytes StaticShared => new(Ask(FunctionAttribute.StaticSharedBytes));

    /// <summary>The most threads of a block.</summary>
    public int MaxThreads => Ask(FunctionAttribute.MaxThreadsPerBlock);

    /// <summary>Lets launches ask for up to that much shared memory: beyond 48 KiB a kernel must be told so once.</summary>
    public void AllowDynamicShared(Bytes most) =>
        DriverApi
            .cuFuncSetAttribute(function, FunctionAttribute.MaxDynamicSharedBytes, checked((int)most.Value))
            .Check($"allowing {Name} {most} of shared memory");

    /// <summary>Appends a launch to a stream. Nothing is allocated: arguments are copied before this returns.</summary>
    /// <param name="stream">Where it is appended.</param>
    /// <param name="shape">Blocks, threads and dynamic shared memory.</param>
    /// <param name="arguments">In the order of the kernel's parameters.</param>
    /// <exception cref="CudaException">The launch was refused, or an earlier one failed.</exception>
    public void Launch(CudaStream stream, in LaunchShape shape, params ReadOnlySpan<KernelArgument> arguments)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(arguments.Length, MostArguments);
        void** addresses = stackalloc void*[MostArguments];
        fixed (KernelArgument* first = arguments)
        {
            for (int i = 0; i < arguments.Length; i++)
            {
                addresses[i] = KernelArgument.PlaceOf(first + i);
            }

            DriverApi
                .cuLaunchKernel(
                    function,
                    (uint)shape.Grid.X,
                    (uint)shape.Grid.Y,
                    (uint)shape.Grid.Z,
                    (uint)shape.Block.X,
                    (uint)shape.Block.Y,
                    (uint)shape.Block.Z,
                    (uint)shape.SharedBytes,
                    stream,
                    addresses,
                    null
                )
                .Check($"launching {Name} ({shape})");
        }

        GC.KeepAlive(module);
    }

    private int Ask(FunctionAttribute attribute)
    {
        int value;
        DriverApi.cuFuncGetAttribute(&value, attribute, function).Check($"asking {Name} for {attribute}");
        return value;
    }
}
