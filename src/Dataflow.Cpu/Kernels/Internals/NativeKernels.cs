using System.Runtime.InteropServices;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// The library of native/cpu: instructions that C# has no words for. It lies beside this assembly where the build had a compiler; where it
/// is missing, or the processor lacks the instructions, the managed kernels do the same.
/// </summary>
internal static unsafe class NativeKernels
{
    private const string Library = "libdataflow-cpu.so";
    private const int Single = 1;
    private const int Pair = 2;

    private static readonly nint s_library = Load();
    private static readonly int s_instructions = Instructions();

    /// <summary>Whether <see cref="Singles"/> may be called.</summary>
    public static readonly bool HasSingles = s_instructions >= Single;

    /// <summary>Whether <see cref="Pairs"/> may be called.</summary>
    public static readonly bool HasPairs = s_instructions >= Pair;

    /// <summary>
    /// Words of both panels, the most in a chain, panels of 12 and 32 fp32, the tile, and whether to start from its contents and not from
    /// zero.
    /// </summary>
    public static readonly delegate* unmanaged[SuppressGCTransition]<int, int, float*, float*, float*, int, void> Singles =
        (delegate* unmanaged[SuppressGCTransition]<int, int, float*, float*, float*, int, void>)Export(HasSingles, "dataflowCpuSingles");

    /// <summary>The same of panels of bf16 pairs, two terms a word (<see cref="PairPanels"/>).</summary>
    public static readonly delegate* unmanaged[SuppressGCTransition]<int, int, float*, float*, float*, int, void> Pairs =
        (delegate* unmanaged[SuppressGCTransition]<int, int, float*, float*, float*, int, void>)Export(HasPairs, "dataflowCpuPairs");

    private static nint Load() =>
        NativeLibrary.TryLoad(Library, typeof(NativeKernels).Assembly, DllImportSearchPath.AssemblyDirectory, out nint library)
            ? library
            : 0;

    private static int Instructions() =>
        s_library != 0 && NativeLibrary.TryGetExport(s_library, "dataflowCpuInstructions", out nint export)
            ? ((delegate* unmanaged<int>)export)()
            : 0;

    private static nint Export(bool has, string name) => has ? NativeLibrary.GetExport(s_library, name) : 0;
}
