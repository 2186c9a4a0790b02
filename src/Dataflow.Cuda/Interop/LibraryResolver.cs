using System.Reflection;
using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <summary>Leads the bindings' logical names to libraries; the one resolver of this assembly.</summary>
internal static class LibraryResolver
{
    static LibraryResolver() => NativeLibrary.SetDllImportResolver(typeof(LibraryResolver).Assembly, Resolve);

    /// <summary>Every class of bindings calls this before its first function; the first call installs the resolver.</summary>
    public static void Install()
    {
    }

    // Zero leaves the search to the runtime: that is for libc.
    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) =>
        LibraryFile.All.FirstOrDefault(f => f.LogicalName == name) is { } file ? CudaLibraries.Load(file.Library) : 0;
}
