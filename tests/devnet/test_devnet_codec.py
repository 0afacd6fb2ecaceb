"""Solidity signatures, call data and created addresses."""

from __future__ import annotations

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st
from rlp import encode as rlp_encode

from devnet.chain import contract_address
from devnet.codec import Signature, split_types

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


def test_a_transfer_has_the_selector_everyone_knows() -> None:
    assert Signature.parse("transfer(address,uint256)(bool)").selector.hex() == "a9059cbb"


def test_tuples_stay_whole_among_the_arguments() -> None:
    signature = Signature.parse("f((address,(uint8,bytes)[]),bool)((uint256,int24)[],string)")
    assert signature.arguments == ("(address,(uint8,bytes)[])", "bool")
    assert signature.results == ("(uint256,int24)[]", "string")


def test_a_function_without_arguments_has_none() -> None:
    assert Signature.parse("name()(string)").arguments == ()
    assert split_types("") == ()


@pytest.mark.parametrize("text", ["", "name", "()", "f(uint256", "(uint256)"])
def test_what_is_no_signature_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"signature|parentheses"):
        Signature.parse(text)


def test_too_few_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"2 arguments \(address, uint256\) needed, 1 given"):
        Signature.parse("transfer(address,uint256)").encode(["0x" + "11" * 20])


@given(addresses, st.integers(0, 2**256 - 1))
def test_what_is_encoded_is_decoded(address: str, amount: int) -> None:
    data = Signature.parse("f(address,uint256)").encode([address, amount])
    assert Signature.parse("f()(address,uint256)").decode("0x" + data[10:]) == (address, amount)


@given(addresses, st.integers(0, 2**64 - 2))
def test_a_created_address_is_the_hash_of_creator_and_nonce(creator: str, nonce: int) -> None:
    expected = keccak(rlp_encode([bytes.fromhex(creator[2:]), nonce]))[12:]
    assert contract_address(creator, nonce) == "0x" + expected.hex()
