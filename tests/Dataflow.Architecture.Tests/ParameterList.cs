using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Dataflow.Architecture.Tests;

/// <summary>
/// Of what is called with values by position: a method, a constructor (a record's too), a local function, a delegate, a lambda.
/// </summary>
/// <param name="Place">File and line.</param>
/// <param name="Name">Of what is called.</param>
/// <param name="Count">Of its parameters.</param>
internal sealed record ParameterList(string Place, string Name, int Count)
{
    private static readonly string[] s_bindings = ["LibraryImport", "DllImport"];

    /// <summary>All of a C# file, but for those of native functions: their number is the library's choice.</summary>
    public static IEnumerable<ParameterList> All(string file, string text) =>
        CSharpSyntaxTree
            .ParseText(text)
            .GetRoot()
            .DescendantNodes()
            .OfType<BaseParameterListSyntax>()
            .Where(list => !IsBinding(list.Parent!))
            .Select(list => new ParameterList(
                $"{file}:{list.GetLocation().GetLineSpan().StartLinePosition.Line + 1}",
                NameOf(list.Parent!),
                list.Parameters.Count
            ));

    private static bool IsBinding(SyntaxNode declared) =>
        declared is MemberDeclarationSyntax member
        && member.AttributeLists.SelectMany(l => l.Attributes).Any(a => s_bindings.Contains(a.Name.ToString().Split('.')[^1]));

    private static string NameOf(SyntaxNode declared) =>
        declared switch
        {
            MethodDeclarationSyntax method => method.Identifier.Text,
            ConstructorDeclarationSyntax constructor => constructor.Identifier.Text,
            BaseTypeDeclarationSyntax type => type.Identifier.Text,
            LocalFunctionStatementSyntax function => function.Identifier.Text,
            DelegateDeclarationSyntax type => type.Identifier.Text,
            IndexerDeclarationSyntax => "this[]",
            AnonymousFunctionExpressionSyntax => "a lambda",
            _ => declared.Kind().ToString(),
        };
}
