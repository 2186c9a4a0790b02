using System.Runtime.CompilerServices;

// Every argument crosses as the bytes that it is; only handles are marshalled, by generated code.
[assembly: DisableRuntimeMarshalling]
